import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

/** The address of every module that a program loads after the package's import, and with it. */
async function modulesOf(rest = '', env = process.env): Promise<string[]> {
  const program = `
    import { register } from 'node:module'
    register('data:text/javascript,' + encodeURIComponent(
      'export async function load(url, context, next) { if (url.startsWith("file:")) process._rawDebug(url); return next(url, context) }'))
    const { embedder } = await import('pipilo')
    ${rest}`
  const flags = ['--input-type=module', '-e', program]
  const { stderr } = await promisify(execFile)(process.execPath, flags, { env })
  return stderr.split('\n').filter((line) => line.startsWith('file:'))
}

it('Importing the package loads neither graphs, architectures nor native libraries: those come with the first call.', async () => {
  const modules = await modulesOf()
  expect(modules.some((url) => url.endsWith('/dist/index.js'))).toBe(true)
  expect(modules.filter((url) => /\/dist\/(graph|nn|cli)\/|\/node_modules\//.test(url))).toEqual([])
  // Each takes a third of a millisecond of every program's start.
  expect(modules.length).toBeLessThan(36)
})

it('Importing the server loads nothing that serves: that comes with the first call.', async () => {
  const modules = await modulesOf(`await import('pipilo/serve')`)
  expect(modules.some((url) => url.endsWith('/dist/serve/index.js'))).toBe(true)
  expect(modules.filter((url) => /\/node_modules\//.test(url))).toEqual([])
  const started = await modulesOf(
    `await import('pipilo/serve').then(({ serve }) => serve({ models: ['none'], port: 99999 })).catch(() => {})`,
  )
  expect(started.some((url) => /\/node_modules\/hono\//.test(url))).toBe(true)
})

it('A session that was kept is opened without graphs and architectures: they take longer to load than the session to open.', async () => {
  const cache = await mkdtemp(join(tmpdir(), 'pipilo-kept-'))
  try {
    const open = `
      const e = await embedder('all-MiniLM-L6-v2')
      await e.embed(['towhee'])
      await e.dispose()`
    const env = { ...process.env, PIPILO_CACHE: cache }
    const isHeavy = (url: string) => /\/dist\/(graph|nn)\/|@bufbuild/.test(url)
    expect((await modulesOf(open, env)).filter(isHeavy)).not.toEqual([])
    expect((await modulesOf(open, env)).filter(isHeavy)).toEqual([])
  } finally {
    await rm(cache, { recursive: true, force: true })
  }
})
