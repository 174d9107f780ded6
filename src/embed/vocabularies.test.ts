import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { resolveSource, tokenizerPath } from '../models/index.ts'
import { loadTokenizer } from './tokenizer.ts'

// Made by bench/parity/tokenizer_files.py: --lines 50 --vocabulary 760 --rules few
const folder = fileURLToPath(new URL('testdata/vocabularies', import.meta.url))
const kinds = [
  'albert',
  'bert-cased',
  'bert-uncased',
  'clip',
  'mpnet',
  'qwen',
  'roberta',
  'siglip',
  't5',
  'xlm-roberta',
]

let cache: string
let reference: { lines: string[]; ids: Record<string, number[][]> }
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), 'pipilo-vocabularies-'))
  vi.stubEnv('PIPILO_CACHE', cache)
  reference = JSON.parse(await readFile(join(folder, 'lines.json'), 'utf8'))
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await rm(cache, { recursive: true })
})

const pathOf = async (kind: string) =>
  tokenizerPath(await resolveSource({ kind: 'file', path: join(folder, kind) }))

describe('a vocabulary without tokenizer.json', () => {
  it.each(kinds)("gives the ids of Python's tokenizers for lines in many scripts: %s", async (kind) => {
    const tokenizer = await loadTokenizer((await pathOf(kind))!)
    for (const [i, line] of reference.lines.entries()) {
      expect(tokenizer.encode(line).ids, line).toEqual(reference.ids[kind]![i])
    }
  })

  it("normalises SigLIP's text by the longest entry, as SentencePiece does: six bytes in one", async () => {
    const tokenizer = await loadTokenizer((await pathOf('siglip'))!)
    expect(tokenizer.encode('ﾋﾟn, aﾋﾟ').ids).toEqual(tokenizer.encode('pin api').ids)
    expect(tokenizer.encode('ﾋﾟ').ids).not.toEqual(tokenizer.encode('ﾋ').ids)
  })

  it('is converted once', async () => {
    expect(await pathOf('clip')).toBe(await pathOf('clip'))
  })
})
