import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'

const scratch = await mkdtemp(join(tmpdir(), 'pipilo-telemetry-'))
afterAll(() => rm(scratch, { recursive: true, force: true }))

const url = (path: string) => new URL(path, import.meta.url).href
const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
const register = pathToFileURL(
  join(dirname(createRequire(import.meta.url).resolve('tsx/package.json')), 'dist/esm/api/index.mjs'),
)
const embeds = (workers: number) => `
  const e = await embedder('all-MiniLM-L6-v2', { runtime: { workers: ${workers} } })
  await e.embed(['towhee'])
  await e.dispose()`

/** What a process that runs a program leaves below folders of its own for HOME and TMPDIR, and what it prints. */
async function traces(program: string, given: Record<string, string> = {}, words: string[] = []) {
  const folder = await mkdtemp(join(scratch, 'run-'))
  const at = (name: string) => join(folder, name)
  await Promise.all(['home', 'temporary', 'cache'].map((name) => mkdir(at(name))))
  const code = `
    import { embedder } from '${url('./index.ts')}'
    ${program}
    console.log(process.env.ORT_DISABLE_TELEMETRY)`
  const { ORT_DISABLE_TELEMETRY: _, ...inherited } = process.env
  const env = {
    ...inherited,
    HOME: at('home'),
    USERPROFILE: at('home'),
    ...Object.fromEntries(['TMPDIR', 'TEMP', 'TMP'].map((name) => [name, at('temporary')])),
    PIPILO_CACHE: at('cache'),
    // The loader of TypeScript keeps what it made in the temporary folder.
    TSX_DISABLE_CACHE: '1',
    ...given,
  }
  const flags = ['--import', tsx, '--input-type=module', '--eval', code, ...words]
  const { stdout } = await promisify(execFile)(process.execPath, flags, { env, timeout: 30_000 })
  const left = await Promise.all(['home', 'temporary'].map((name) => readdir(at(name), { recursive: true })))
  return { left: left.flat().filter((path) => !path.startsWith('tsx-')), printed: stdout.trim() }
}

describe('telemetry of ONNX Runtime', () => {
  it.each([0, 1, 2])('leaves nothing below HOME and TMPDIR with %i workers', async (workers) => {
    const { left, printed } = await traces(embeds(workers))
    expect(left).toEqual([])
    expect(printed).toBe('1')
  })

  it('is what a user says', async () => {
    const { printed } = await traces(embeds(1), { ORT_DISABLE_TELEMETRY: '0' })
    expect(printed).toBe('0')
  })

  it('does not end a process whose command line is long, as it does when it is on', async () => {
    const { printed } = await traces(embeds(0), {}, ['a'.repeat(100_000)])
    expect(printed).toBe('1')
  })

  it('is off in a worker of the user that shares the environment', async () => {
    const inner = `
      import('${register}').then(async ({ register }) => {
        register()
        const { embedder } = await import('${url('./index.ts')}')
        ${embeds(1)}
      }).catch((error) => setImmediate(() => { throw error }))`
    const { left } = await traces(`
      const { Worker, SHARE_ENV } = await import('node:worker_threads')
      const worker = new Worker(${JSON.stringify(inner)}, { eval: true, execArgv: [], env: SHARE_ENV })
      await new Promise((resolve, reject) => worker.on('exit', resolve).on('error', reject))`)
    expect(left).toEqual([])
  })
})
