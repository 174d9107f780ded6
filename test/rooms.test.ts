import { cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { checkNodeFree, checkRooms, nodeFree } from '../scripts/rooms.ts'

const project = fileURLToPath(new URL('..', import.meta.url))
const copies: string[] = []

async function copyOfSources(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'pipilo-rooms-'))
  copies.push(copy)
  await cp(join(project, 'src'), join(copy, 'src'), { recursive: true })
  return copy
}

afterEach(async () => {
  for (const copy of copies.splice(0)) await rm(copy, { recursive: true, force: true })
})

describe('rooms', () => {
  it('reads every module and finds no import that looks down', async () => {
    const { modules, unread, violations } = await checkRooms(project)
    expect(modules.length).toBeGreaterThan(30)
    expect(unread).toEqual([])
    expect(violations).toEqual([])
  })

  it.each([
    [
      'src/tensor/violation.ts',
      `import { Builder } from '../graph/index.ts'\nvoid Builder\n`,
      'tensor-looks-down',
    ],
    [
      'src/graph/violation.ts',
      `import type { Session } from '../runtime/index.ts'\nexport type S = Session\n`,
      'graph-looks-down',
    ],
    [
      'src/store/violation.ts',
      `import { PipiloError } from '../base/errors.ts'\nvoid PipiloError\n`,
      'one-door',
    ],
    ['src/models/violation.ts', `export const s = import('../store/index.ts')\n`, 'models-looks-down'],
    ['src/nn/violation.ts', `import { sep } from 'node:path'\nvoid sep\n`, 'node-free'],
  ])('a violation in %s fails', async (file, text, rule) => {
    const copy = await copyOfSources()
    await writeFile(join(copy, file), text)
    const { violations } = await checkRooms(copy)
    expect(violations).toContainEqual(expect.objectContaining({ rule, from: file }))
  })

  it.each([
    ['src/tensor/npy.ts', `import { sep } from 'node:path'\nvoid sep\n`, 'node:path'],
    ['src/nn/model.ts', `export const load = () => import('node:fs')\n`, 'node:fs'],
    [
      'src/graph/onnx/wire.ts',
      `import '../files/index.ts'\n`,
      / → (node:[a-z/]+|the global (process|Buffer))$/,
    ],
    [
      'src/graph/passes/fold.ts',
      `import { Session } from 'onnxruntime-node'\nvoid Session\n`,
      'onnxruntime-node',
    ],
    ['src/base/errors.ts', `export const bytes = Buffer.alloc(1)\n`, 'the global Buffer'],
  ])('what a browser will need may not reach Node: a line more in %s fails', async (file, line, what) => {
    const copy = await copyOfSources()
    await writeFile(join(copy, file), `${line}${await readFile(join(copy, file), 'utf8')}`)
    const found = checkNodeFree(copy)
    expect(found.length).toBeGreaterThan(0)
    for (const { rule, to } of found) expect(`${rule}: ${to}`).toMatch(what)
    expect(found.map(({ from, to }) => `${from} → ${to}`).some((way) => way.includes(file))).toBe(true)
  })

  it('types of what is in Node may be imported there, as they vanish', async () => {
    const copy = await copyOfSources()
    await writeFile(
      join(copy, 'src/nn/types.ts'),
      `import type { FileHandle } from 'node:fs/promises'\nexport type * from '../graph/files/index.ts'\nexport type F = FileHandle\n${await readFile(join(copy, 'src/nn/types.ts'), 'utf8')}`,
    )
    expect(checkNodeFree(copy)).toEqual([])
  })

  it('a place without modules fails: a name that is moved is not held any more', async () => {
    const copy = await copyOfSources()
    await rename(join(copy, 'src', nodeFree[0]!), join(copy, 'src/base/moved.ts'))
    expect(checkNodeFree(copy)).toContainEqual({
      rule: 'node-free',
      from: `src/${nodeFree[0]}`,
      to: 'nothing is there',
    })
  })
})
