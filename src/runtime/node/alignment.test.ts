import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Builder, type Graph, mapExternalData, op } from '../../graph/index.ts'
import { tensor } from '../../tensor/index.ts'
import { compile, reopen } from './compile.ts'

let cacheDir: string
beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'pipilo-alignment-'))
})
afterEach(() => rm(cacheDir, { recursive: true, force: true }))

const waves = (shape: number[], phase = 0) =>
  tensor(
    'float32',
    shape,
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i + phase)),
  )

/** Products whose weights lie behind tables of lengths that are no multiple of a cache line's. */
function products(): Graph {
  const b = new Builder()
  let y = b.input('x', 'float32', ['rows', 64])
  const row = b.input('row', 'int64', [1])
  for (const [i, rows] of [301, 303, 307].entries()) {
    y = op.mul(y, op.gather(b.initializer(`table.${i}`, waves([rows, 1], i)), row))
    y = op.matMul(y, b.initializer(`weight.${i}`, waves([64, 64], i)))
  }
  b.output('y', y)
  return b.build()
}

const feeds = () => ({ x: waves([16, 64]), row: tensor('int64', [1], [300]) })

it('Weights of a kept session start at multiples of 64 bytes, packed ones too, and give the same numbers.', async () => {
  const options = { workers: 1, cacheDir, persist: true }
  const first = await compile(products(), options)
  const expected = (await first.run(feeds())).y
  await first.dispose()
  const offsets: number[] = []
  const path = join(cacheDir, 'sessions', `${first.kept}.onnx`)
  mapExternalData(await readFile(path), (data) => {
    offsets.push(Number(data.get('offset')))
    for (const [key, value] of data)
      if (key.startsWith('prepacked'))
        for (const buffer of value.split('|').slice(1)) offsets.push(Number(buffer.split(';')[0]))
    return data
  })
  expect(offsets.length).toBe(9)
  expect(new Set(offsets).size).toBe(9)
  expect(offsets.map((offset) => offset % 64)).toEqual(offsets.map(() => 0))
  const again = await (await reopen(first.kept!, options))!.opening
  expect((await again.run(feeds())).y).toEqual(expected)
  await again.dispose()
})
