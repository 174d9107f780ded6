/**
 * The clients that PyPI has of OpenAI and Cohere against `pipilo serve`: their vectors beside those of `embed`, and the classes of their errors.
 *
 *     PYTHON=venv/bin/python npx tsx serve/clients.ts     # in bench/, after npm run build; PYTHON is one with openai and cohere
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cosineSimilarity, embedder } from 'pipilo'
import { startServer, stopServer } from './start.ts'

interface Answer {
  readonly versions: Readonly<Record<string, string>>
  readonly base64: number[][]
  readonly float: number[][]
  readonly short: number[]
  readonly usage: number
  readonly models: string[]
  readonly errors: Readonly<Record<string, readonly [string, number, string]>>
  readonly cohere: number[][]
  readonly int8: number[][]
  readonly ubinary: number[][]
}

const texts = ['football', 'soccer', 'footwear', 'Ünïcödé naïve café, Straße', '你好，世界。']
const model = 'all-MiniLM-L6-v2'
const folder = mkdtempSync(join(tmpdir(), 'pipilo-clients-'))
const server = await startServer(['--model', model, '--db', join(folder, 'db')])
try {
  const running = promisify(execFile)(
    process.env['PYTHON'] ?? 'python3',
    [fileURLToPath(new URL('clients.py', import.meta.url)), server.url],
    { maxBuffer: 1 << 26 },
  )
  running.child.stdin!.end(JSON.stringify(texts))
  const answer = JSON.parse((await running).stdout) as Answer
  await using e = await embedder(model)
  const { vectors } = await e.embed(texts)
  let least = 1
  for (const [i, vector] of vectors.entries()) {
    for (const found of [answer.base64[i]!, answer.float[i]!, answer.cohere[i]!])
      least = Math.min(least, cosineSimilarity(Float32Array.from(found), vector))
    assert.ok(cosineSimilarity(Float32Array.from(answer.int8[i]!), vector) > 0.99)
    const bits = vector.map((x) => (x > 0 ? 1 : 0))
    const packed = Array.from({ length: bits.length / 8 }, (_, byte) =>
      bits.slice(8 * byte, 8 * byte + 8).reduce((sum, bit) => 2 * sum + bit, 0),
    )
    assert.deepEqual(answer.ubinary[i], packed)
  }
  assert.ok(least > 0.99999)
  assert.equal(answer.short.length, 64)
  assert.ok(Math.abs(Math.hypot(...answer.short) - 1) < 1e-5)
  assert.ok(answer.models.includes(model))
  console.log(
    JSON.stringify({ ...answer.versions, leastCosine: least, tokens: answer.usage, errors: answer.errors }),
  )
} finally {
  await stopServer(server)
  rmSync(folder, { recursive: true, force: true })
}
