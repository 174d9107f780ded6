import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

/** Prints the address of every module that the package's import loads. */
const program = `
  import { register } from 'node:module'
  register('data:text/javascript,' + encodeURIComponent(
    'export async function load(url, context, next) { if (url.startsWith("file:")) process._rawDebug(url); return next(url, context) }'))
  await import('pipilo')
`

it('Importing the package loads neither graphs, architectures nor native libraries: those come with the first call.', async () => {
  const { stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program])
  const modules = stderr.split('\n').filter((line) => line.startsWith('file:'))
  expect(modules.some((url) => url.endsWith('/dist/index.js'))).toBe(true)
  expect(modules.filter((url) => /\/dist\/(graph|nn|cli)\/|\/node_modules\//.test(url))).toEqual([])
  // Each takes a third of a millisecond of every program's start.
  expect(modules.length).toBeLessThan(30)
})
