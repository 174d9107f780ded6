import { mkdtempSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { fileIdentity } from './fileIdentity.ts'

const folder = mkdtempSync(join(tmpdir(), 'pipilo-identity-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('stays while a file does, and changes with every change, in whatever moment', async () => {
  const path = join(folder, 'weights')
  writeFileSync(path, 'aaaa')
  const { atime, mtime } = statSync(path)
  const seen = [await fileIdentity(path)]
  expect(await fileIdentity(path)).toBe(seen[0])
  for (let round = 0; round < 30; round++) {
    if (round % 2 === 0) writeFileSync(path, `bb${10 + round}`)
    else {
      writeFileSync(`${path}.new`, `cc${10 + round}`)
      renameSync(`${path}.new`, path)
    }
    utimesSync(path, atime, mtime)
    seen.push(await fileIdentity(path))
    // The tick in which it was changed is over: a change after this one has other times.
    expect(Date.now() - statSync(path).ctimeMs).toBeGreaterThanOrEqual(19)
  }
  expect(new Set(seen).size).toBe(seen.length)
  expect(new Set(seen.map((identity) => identity.split(' ')[1]))).toEqual(new Set(['4']))
})

it('does not wait for a file whose times lie ahead', async () => {
  const path = join(folder, 'ahead')
  writeFileSync(path, 'a')
  const later = new Date(Date.now() + 86_400_000)
  utimesSync(path, later, later)
  expect(await fileIdentity(path)).toBe(await fileIdentity(path))
})
