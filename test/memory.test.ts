import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { open } from '../src/models/index.ts'
import { project } from './pipilo.ts'

// In dist/, so that `pipilo` means the build: from source nothing is remembered.
const program = `
import { embedder } from 'pipilo'
const e = await embedder('./model.onnx')
const image = { width: 4, height: 4, channels: 3, data: Uint8Array.from({ length: 48 }, (_, i) => i * 5) }
const { vectors } = await e.embed([image])
const layers = (await e.model()).layers().length
await e.dispose()
console.log(JSON.stringify({ vector: [...vectors[0]], identity: e.identity, layers }))
`

it('opens a prepared session in the next process, until a file of the model changes', async () => {
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
    return JSON.parse(stdout) as { vector: number[]; identity: object; layers: number }
  }
  const first = await run()
  expect(first.vector).toHaveLength(24)
  expect(
    readdirSync(join(cache, 'sessions'))
      .map((name) => name.replace(/^[0-9a-f]+\./, ''))
      .sort(),
  ).toEqual(['bin', 'json', 'note.json', 'onnx'])
  expect(await run()).toEqual(first)
  // What the note leads to has gone: all is read again.
  for (const name of readdirSync(join(cache, 'sessions'))) {
    if (name.endsWith('.bin')) rmSync(join(cache, 'sessions', name))
  }
  expect(await run()).toEqual(first)
  renameSync(join(folder, 'other'), join(folder, 'model.onnx'))
  const changed = await run()
  expect(changed.vector).toHaveLength(32)
  expect(changed.identity).not.toEqual(first.identity)
})
