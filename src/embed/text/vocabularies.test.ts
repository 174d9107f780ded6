import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { resolveSource, tokenizerPath } from '../../models/index.ts'
import { loadTokenizer } from './loadTokenizer.ts'

// Made by bench/parity/tokenizer_files.py: --lines 50 --vocabulary 760 --rules few
const folder = fileURLToPath(new URL('../testdata/vocabularies', import.meta.url))
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

  it('of CamemBERT has the pieces of XLM-RoBERTa three places later, and its own special tokens', async () => {
    const place = await mkdtemp(join(cache, 'camembert-'))
    const model = await readFile(join(folder, 'xlm-roberta/sentencepiece.bpe.model'))
    await writeFile(join(place, 'sentencepiece.bpe.model'), model)
    await writeFile(join(place, 'config.json'), '{"model_type":"camembert"}')
    const path = await tokenizerPath(await resolveSource({ kind: 'file', path: place }))
    const tokenizer = await loadTokenizer(path!)
    const special: Readonly<Record<number, number>> = { 0: 5, 1: 1, 2: 6, 3: 3 }
    for (const [i, line] of reference.lines.entries()) {
      const wanted = reference.ids['xlm-roberta']![i]!.map((id) => special[id] ?? id + 3)
      expect(tokenizer.encode(line).ids, line).toEqual(wanted)
    }
  })

  it("of T5 has transformers' tokens for what is left out, the first one last", async () => {
    const place = await mkdtemp(join(cache, 't5-'))
    await writeFile(join(place, 'spiece.model'), await readFile(join(folder, 't5/spiece.model')))
    await writeFile(join(place, 'config.json'), '{"model_type":"t5"}')
    const path = await tokenizerPath(await resolveSource({ kind: 'file', path: place }))
    const tokenizer = await loadTokenizer(path!)
    expect(tokenizer.encode('a <extra_id_0> bird <extra_id_99>').ids).toEqual([
      3, 7, 859, 211, 120, 14, 760, 1,
    ])
  })

  it("normalises SigLIP's text by the longest entry, as SentencePiece does: six bytes in one", async () => {
    const tokenizer = await loadTokenizer((await pathOf('siglip'))!)
    expect(tokenizer.encode('ﾋﾟn, aﾋﾟ').ids).toEqual(tokenizer.encode('pin api').ids)
    expect(tokenizer.encode('ﾋﾟ').ids).not.toEqual(tokenizer.encode('ﾋ').ids)
  })

  it('is also what OpenAI published beside CLIP: the ids of OpenCLIP', async () => {
    const place = fileURLToPath(new URL('../testdata/openai-bpe', import.meta.url))
    const path = await tokenizerPath(await resolveSource({ kind: 'file', path: place }))
    const tokenizer = await loadTokenizer(path!)
    const lines: [string, number[]][] = JSON.parse(await readFile(join(place, 'lines.json'), 'utf8'))
    for (const [line, ids] of lines) expect(tokenizer.encode(line).ids, line).toEqual(ids)
    expect(tokenizer.encode('<|endoftext|>').ids).toEqual([512 + 600, 512 + 601, 512 + 601])
  })

  it.each([
    ['cannot be unpacked', Buffer.from('in t')],
    ['is no list of pairs', gzipSync('#version: 0.2\ni n\nthe')],
    ['is no list of pairs', gzipSync('#version: 0.2\n')],
  ])('of OpenAI says what is wrong: %s', async (what, bytes) => {
    const place = await mkdtemp(join(cache, 'bpe-'))
    await writeFile(join(place, 'bpe_simple_vocab_16e6.txt.gz'), bytes)
    await expect(tokenizerPath(await resolveSource({ kind: 'file', path: place }))).rejects.toMatchObject({
      code: 'FORMAT_INVALID',
      message: expect.stringContaining(what),
    })
  })

  it('is converted once', async () => {
    expect(await pathOf('clip')).toBe(await pathOf('clip'))
  })
})
