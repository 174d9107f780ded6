import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'

const main = fileURLToPath(new URL('main.ts', import.meta.url))
const loader = import.meta.resolve('tsx')
const folder = mkdtempSync(join(tmpdir(), 'pipilo-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The command with its first line, or what it said when it ended. */
async function started(args: string[]) {
  const child = spawn(process.execPath, ['--import', loader, main, 'serve', ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let errors = ''
  child.stderr.on('data', (data) => {
    errors += data
  })
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  const line = await Promise.race([
    new Promise<string>((resolve) => child.stdout.setEncoding('utf8').once('data', resolve)),
    ended.then(() => undefined),
  ])
  return { child, line, ended, errors: () => errors }
}

describe('pipilo serve', () => {
  it('says where it is, logs requests as lines of JSON, and ends with status 0 on SIGTERM', async () => {
    cpSync(
      fileURLToPath(new URL('../models/testdata/sentence-transformers', import.meta.url)),
      join(folder, 't'),
      { recursive: true },
    )
    writeFileSync(join(folder, 'keys.txt'), '# of tests\nsecret\n')
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
      expect([(await ask('wrong')).status, (await ask('secret')).status]).toEqual([401, 200])
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
})
