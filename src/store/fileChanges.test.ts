import { mkdirSync, mkdtempSync, renameSync, rmSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fileChanges } from './fileChanges.ts'

let cwd: string
let stop: AbortController
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'pipilo-'))
  stop = new AbortController()
})
afterEach(() => {
  stop.abort()
  rmSync(cwd, { recursive: true, force: true })
})

const write = (path: string, text: string) => {
  mkdirSync(join(cwd, path, '..'), { recursive: true })
  writeFileSync(join(cwd, path), text)
}

async function follow(specs: string[], every = 50) {
  const changes = await fileChanges(specs, { cwd, every, quiet: 20, signal: stop.signal })
  const told = new Set<string>()
  const gone = new Set<string>()
  /** Asks until all of it has been told: one look may come between two writes. */
  return async (changed: string[], removed: string[] = []) => {
    while (
      changed.some((path) => !told.has(join(cwd, path))) ||
      removed.some((path) => !gone.has(join(cwd, path)))
    ) {
      const { value, done } = await changes.next()
      if (done) throw new Error('It has ended.')
      for (const path of value.changed) told.add(path)
      for (const path of value.removed) gone.add(path)
    }
    const all = [[...told].sort(), [...gone].sort()]
    told.clear()
    gone.clear()
    expect(all).toEqual([changed, removed].map((paths) => paths.map((path) => join(cwd, path)).sort()))
  }
}

describe('changes of files', () => {
  it.each([
    ['announced', 60_000],
    ['looked for', 50],
  ])('are told: new, changed and removed, in folders within, also made later (%s)', async (_, every) => {
    write('notes/a.txt', 'a')
    write('notes/deep/b.txt', 'b')
    const told = await follow(['notes'], every)
    write('notes/a.txt', 'another')
    await told(['notes/a.txt'])
    write('notes/c.txt', 'c')
    unlinkSync(join(cwd, 'notes/deep/b.txt'))
    await told(['notes/c.txt'], ['notes/deep/b.txt'])
    write('notes/deep/d.txt', 'd')
    await told(['notes/deep/d.txt'])
    write('notes/.hidden', 'x')
    write('elsewhere.txt', 'x')
    renameSync(join(cwd, 'notes/c.txt'), join(cwd, 'notes/e.txt'))
    await told(['notes/e.txt'], ['notes/c.txt'])
  })

  it('are told of what came before anybody asked, and of a change that keeps size and time', async () => {
    write('notes/a.txt', 'one')
    const time = new Date(1e12)
    utimesSync(join(cwd, 'notes/a.txt'), time, time)
    const told = await follow(['notes'])
    write('notes/a.txt', 'two')
    utimesSync(join(cwd, 'notes/a.txt'), time, time)
    await new Promise((resolve) => setTimeout(resolve, 100))
    await told(['notes/a.txt'])
  })

  it('are those of a glob, and of a file that is replaced', async () => {
    write('notes/a.txt', 'a')
    write('notes/a.md', 'a')
    write('one.txt', '1')
    const told = await follow(['notes/*.txt', 'one.txt'])
    write('notes/b.md', 'b')
    write('two.txt', '2')
    write('other', 'x')
    renameSync(join(cwd, 'other'), join(cwd, 'one.txt'))
    write('notes/b.txt', 'b')
    await told(['notes/b.txt', 'one.txt'])
  })

  it('are none where nothing can be looked for: a folder that is away or empty', async () => {
    write('disk/a.txt', 'a')
    write('disk/b.txt', 'b')
    write('other/c.txt', 'c')
    const told = await follow(['disk', 'other'])
    renameSync(join(cwd, 'disk'), join(cwd, 'away'))
    write('other/d.txt', 'd')
    await told(['other/d.txt'])
    mkdirSync(join(cwd, 'disk'))
    write('other/e.txt', 'e')
    await told(['other/e.txt'])
    rmSync(join(cwd, 'disk'), { recursive: true })
    renameSync(join(cwd, 'away'), join(cwd, 'disk'))
    unlinkSync(join(cwd, 'disk/a.txt'))
    await told([], ['disk/a.txt'])
  })

  it('end with the signal', async () => {
    write('a.txt', 'a')
    const changes = await fileChanges(['a.txt'], { cwd, signal: stop.signal })
    const next = changes.next()
    stop.abort()
    expect(await next).toEqual({ value: undefined, done: true })
  })
})
