import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeFolder } from './folder.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipilo-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('makeFolder', () => {
  it('makes those above as well, many calls at once, and leaves what is there', async () => {
    const path = join(folder, 'a', 'b', 'c')
    await Promise.all(Array.from({ length: 20 }, (_, i) => makeFolder(join(path, `${i % 3}`))))
    await makeFolder(path)
    expect(['0', '1', '2'].map((name) => statSync(join(path, name)).isDirectory())).toEqual([
      true,
      true,
      true,
    ])
  })

  it.skipIf(process.platform === 'win32')('gives the permissions that are asked for', async () => {
    await makeFolder(join(folder, 'own', 'inner'), { mode: 0o700 })
    expect(statSync(join(folder, 'own')).mode & 0o777).toBe(0o700)
  })

  it('refuses a path through a file, and a file in its place', async () => {
    const file = join(folder, 'file')
    writeFileSync(file, '')
    for (const path of [file, join(file, 'inner')])
      await expect(makeFolder(path)).rejects.toMatchObject({ code: 'WRITE_FAILED', input: path })
  })

  it.skipIf(!existsSync('/proc/self'))('ends where no folder can be made', async () => {
    await expect(makeFolder('/proc/pipilo/runs')).rejects.toMatchObject({ code: 'WRITE_FAILED' })
  })
})
