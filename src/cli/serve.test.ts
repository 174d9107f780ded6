import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'

const main = fileURLToPath(new URL('main.ts', import.meta.url))
const loader = import.meta.resolve('tsx')
const folder = mkdtempSync(join(tmpdir(), 'pipilo-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The command that runs, and its first line, if there will be one. */
function begun(args: string[]) {
  const child = spawn(process.execPath, ['--import', loader, main, 'serve', ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let errors = ''
  child.stderr.on('data', (data) => {
    errors += data
  })
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  const first = Promise.race([
    new Promise<string>((resolve) => child.stdout.setEncoding('utf8').once('data', resolve)),
    ended.then(() => undefined),
  ])
  return { child, first, ended, errors: () => errors }
}

/** The command with its first line, or what it said when it ended. */
async function started(args: string[]) {
  const { first, ...running } = begun(args)
  return { ...running, line: await first }
}

describe('pipilo serve', () => {
  it('says where it is, logs requests as lines of JSON, and ends with status 0 on SIGTERM', async () => {
    cpSync(
      fileURLToPath(new URL('../models/testdata/sentence-transformers', import.meta.url)),
      join(folder, 't'),
      { recursive: true },
    )
    writeFileSync(join(folder, 'keys.txt'), '# of tests\na-secret-of-tests\n')
    const args = [
      '--model',
      'tiny=t',
      '--port',
      '0',
      '--json',
      '--log',
      'log.jsonl',
      '--key-file',
      'keys.txt',
    ]
    const { child, line, ended, errors } = await started(args)
    try {
      const { url, models } = JSON.parse(line!) as { url: string; models: { name: string }[] }
      expect(models.map(({ name }) => name)).toEqual(['tiny'])
      const ask = (key: string) =>
        fetch(`${url}/v1/embeddings`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
          body: JSON.stringify({ model: 'tiny', input: 'a towhee' }),
        })
      expect([(await ask('wrong')).status, (await ask('a-secret-of-tests')).status]).toEqual([401, 200])
      const taken = await started(['--model', 't', '--port', new URL(url).port])
      expect([taken.line, await taken.ended, taken.errors()]).toEqual([
        undefined,
        1,
        expect.stringContaining('[PORT_IN_USE]'),
      ])
      child.kill('SIGTERM')
      expect([await ended, errors()]).toEqual([0, ''])
    } finally {
      child.kill('SIGKILL')
    }
    const lines = readFileSync(join(folder, 'log.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((entry) => JSON.parse(entry))
    expect(lines).toMatchObject([
      { status: 401, code: 'invalid_api_key', path: '/v1/embeddings' },
      { status: 200, key: 1, model: 'tiny', inputs: 1 },
    ])
  })

  it('checks as it serves: what is refused, and all settings in words or as JSON', async () => {
    const check = async (...args: string[]) => {
      const { line, ended, errors } = await started(['--model', 't', '--check', ...args])
      return { line: line ?? '', status: await ended, errors: errors() }
    }
    const { line } = await check('--queue', '512', '--fetch-from', 'a.example', '--cache', 'kept')
    for (const row of [
      /^model +t \(text, \d+ dimensions/m,
      /^fetch-from +a\.example$/m,
      /^cache +kept, 268 MB$/m,
      /^files +none/m,
      /^limits\.waitingTokens +512 tokens$/m,
      /^limits\.seconds +60 s$/m,
    ])
      expect(line).toMatch(row)
    const { line: json } = await check('--json')
    expect(JSON.parse(json)).toMatchObject({
      port: 8315,
      keys: 0,
      cache: null,
      fetchFrom: [],
      limits: { hits: 1000 },
    })
    for (const [args, message] of [
      [['--port', '99999'], /ports end at 65535/],
      [['--host', '0.0.0.0'], /Others reach 0\.0\.0\.0/],
      [['--db', 'keys.txt'], /db is keys\.txt/],
    ] as const) {
      const { status, errors } = await check(...args)
      expect([status, errors]).toEqual([1, expect.stringMatching(message)])
    }
    const stray = await check('birds')
    expect([stray.status, stray.errors]).toEqual([2, expect.stringContaining('takes no argument "birds"')])
  })

  it('says nothing of an address when it is stopped while it starts', async () => {
    const { child, ended, errors, first } = begun([
      '--model',
      't',
      '--port',
      '0',
      '--warm',
      '--log',
      'early.jsonl',
    ])
    let said = false
    void first.then((line) => {
      said = line !== undefined
    })
    // The log is opened just before the server is.
    await expect
      .poll(() => existsSync(join(folder, 'early.jsonl')), { timeout: 30_000, interval: 2 })
      .toBe(true)
    child.kill('SIGTERM')
    expect([await ended, errors(), said]).toEqual([0, '', false])
  })
})
