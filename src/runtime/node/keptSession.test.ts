import { mkdtemp, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { bytesOf, float32ToFloat16 } from '../../tensor/index.ts'
import { addition, linear, rows } from '../testing/graphs.ts'
import type { Session } from '../types.ts'
import { compile, reopen } from './compile.ts'

let cacheDir: string
const sessions: Session[] = []
const keep = <S extends Session | undefined>(session: S): S => {
  if (session) sessions.push(session)
  return session
}

beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'pipilo-kept-'))
})
afterEach(async () => {
  await Promise.all(sessions.splice(0).map((session) => session.dispose()))
  await rm(cacheDir, { recursive: true, force: true })
})

const weight = {
  dtype: 'float32',
  shape: [64, 64],
  data: Float32Array.from({ length: 4096 }, (_, i) => Math.sin(i)),
} as const
const input = () => ({ x: rows(...Array.from({ length: 2 }, (_, i) => Math.cos(i))) })
const wide = () =>
  ({
    x: { dtype: 'float32', shape: [1, 64], data: Float32Array.from({ length: 64 }, (_, i) => Math.cos(i)) },
  }) as const

describe.each([0, 2])('a session that persists, on %i workers', (workers) => {
  it('is opened again without its graph, and gives the same numbers', async () => {
    const first = keep(await compile(linear(weight), { workers, cacheDir, persist: true }))
    const second = keep(await compile(linear(weight), { workers, cacheDir, persist: true }))
    const third = keep(await (await reopen(first.kept!, { workers, cacheDir }))!.opening)
    expect(second.kept).toBe(first.kept)
    expect(third.inputs).toEqual(first.inputs.map(({ name, type }) => ({ name, type })))
    const results = await Promise.all(
      [first, second, third].map(async (session) => (await session.run(wide())).y),
    )
    expect(results[1]).toEqual(results[0])
    expect(results[2]).toEqual(results[0])
    await expect(third.run(input())).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' })
    expect(
      (await readdir(join(cacheDir, 'sessions'))).map((name) => name.replace(/^.*\./, '')).sort(),
    ).toEqual(['bin', 'json', 'json', 'onnx'])
  })
})

describe('a kept session', () => {
  it('is found again where its weights were converted, however often those were used since', async () => {
    const halves = bytesOf(float32ToFloat16(weight.data))
    const path = join(cacheDir, 'weights.half')
    await writeFile(path, halves)
    const file = { path, offset: 0, length: halves.length }
    const graph = linear({ dtype: 'float16', shape: weight.shape, file })
    const { kept } = keep(await compile(graph, { workers: 0, cacheDir, persist: true }))
    await new Promise((later) => setTimeout(later, 20))
    expect(keep(await compile(graph, { workers: 0, cacheDir, persist: true })).kept).toBe(kept)
    const { mtime } = await stat(path)
    await writeFile(
      path,
      halves.map((byte) => byte ^ 1),
    )
    await utimes(path, mtime, mtime)
    const other = keep(await compile(graph, { workers: 0, cacheDir, persist: true }))
    expect(other.kept).not.toBe(kept)
  })

  it('is another for another graph', async () => {
    const { kept } = keep(await compile(linear(weight), { workers: 0, cacheDir, persist: true }))
    const changed = { ...weight, data: weight.data.map((value) => value + 1) }
    const other = keep(await compile(linear(changed), { workers: 0, cacheDir, persist: true }))
    expect(other.kept).not.toBe(kept)
  })

  it('that was cut off, or has gone, is made anew', async () => {
    const options = { workers: 0, cacheDir, persist: true }
    const first = keep(await compile(linear(weight), options))
    const expected = (await first.run(wide())).y
    await truncate(join(cacheDir, 'sessions', `${first.kept}.bin`), 100)
    expect(await reopen(first.kept!, { workers: 0, cacheDir })).toBeUndefined()
    const again = keep(await compile(linear(weight), options))
    expect((await again.run(wide())).y).toEqual(expected)
    for (const ending of ['bin', 'onnx', 'json']) {
      const path = join(cacheDir, 'sessions', `${first.kept}.${ending}`)
      const bytes = await readFile(path)
      bytes[bytes.length >> 1]! ^= 1
      await writeFile(path, bytes)
      expect(await reopen(first.kept!, { workers: 0, cacheDir }), ending).toBeUndefined()
      const anew = keep(await compile(linear(weight), options))
      expect((await anew.run(wide())).y).toEqual(expected)
    }
    await rm(join(cacheDir, 'sessions'), { recursive: true })
    expect(await reopen(first.kept!, { workers: 0, cacheDir })).toBeUndefined()
  })

  it('is done without where no folder can be written', async () => {
    const blocked = join(cacheDir, 'file')
    await writeFile(blocked, '')
    const session = keep(await compile(addition(), { workers: 0, cacheDir: blocked, persist: true }))
    expect((await session.run({ x: rows(1, 2) })).y).toMatchObject({ data: Float32Array.of(2, 4) })
  })
})
