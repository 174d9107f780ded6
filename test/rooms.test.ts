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

  // One walk over all imports finds them together.
  it('violations fail, each by its rule', async () => {
    const files = [
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
    ] as const
    const copy = await copyOfSources()
    for (const [file, text] of files) await writeFile(join(copy, file), text)
    const { violations } = await checkRooms(copy)
    for (const [from, , rule] of files)
      expect(violations).toContainEqual(expect.objectContaining({ rule, from }))
    expect(new Set(violations.map(({ from }) => from))).toEqual(new Set(files.map(([file]) => file)))
  })

  it('what a browser will need may not reach Node: a line more fails', async () => {
    const lines = [
      ['src/tensor/npy.ts', `import { sep } from 'node:path'\nvoid sep\n`, 'node:path'],
      ['src/nn/model.ts', `export const load = () => import('node:fs')\n`, 'node:fs'],
      ['src/graph/onnx/wire.ts', `import '../files/index.ts'\n`, 'the global process'],
      [
        'src/graph/passes/fold.ts',
        `import { Session } from 'onnxruntime-node'\nvoid Session\n`,
        'onnxruntime-node',
      ],
      ['src/base/errors.ts', `export const bytes = Buffer.alloc(1)\n`, 'the global Buffer'],
    ] as const
    const copy = await copyOfSources()
    for (const [file, line] of lines)
      await writeFile(join(copy, file), `${line}${await readFile(join(copy, file), 'utf8')}`)
    const ways = checkNodeFree(copy).map(({ rule, from, to }) => `${rule}: ${from} → ${to}`)
    for (const [file, , what] of lines)
      expect(
        ways.some((way) => way.startsWith('node-free') && way.includes(file) && way.endsWith(what)),
      ).toBe(true)
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
