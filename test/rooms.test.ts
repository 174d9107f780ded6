import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { checkRooms } from '../scripts/rooms.ts'

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
  ])('a violation in %s fails', async (file, text, rule) => {
    const copy = await copyOfSources()
    await writeFile(join(copy, file), text)
    const { violations } = await checkRooms(copy)
    expect(violations).toContainEqual(expect.objectContaining({ rule, from: file }))
  })
})
