import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { resolveSource, tokenizerPath } from '../../models/index.ts'
import { loadTokenizer } from './loadTokenizer.ts'

interface Drawn {
  readonly kind: string
  readonly cls: string
  readonly files: Readonly<Record<string, Record<string, unknown>>>
  readonly ids: readonly (readonly number[] | null)[] | null
}

let cache: string
let head: { texts: string[]; vocabs: Record<string, object> }
let drawn: Drawn[]
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), 'pipilo-folders-'))
  vi.stubEnv('PIPILO_CACHE', cache)
  // Made by bench/parity/tokenizers/folders.py: --count 60 --seed 5 --brief
  const lines = await readFile(new URL('../testdata/folders.ndjson', import.meta.url), 'utf8')
  const [first, ...others] = lines.trim().split('\n')
  head = JSON.parse(first!)
  drawn = others.map((line) => JSON.parse(line))
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await rm(cache, { recursive: true })
})

async function tokenizerOf(files: Readonly<Record<string, unknown>>) {
  const path = await mkdtemp(join(cache, 'folder-'))
  await mkdir(path, { recursive: true })
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(path, name), typeof content === 'string' ? content : JSON.stringify(content))
  }
  const found = await tokenizerPath(await resolveSource({ kind: 'file', path }))
  return found === undefined ? undefined : loadTokenizer(found)
}

const words = [
  '[PAD]',
  '[UNK]',
  '[CLS]',
  '[SEP]',
  '[MASK]',
  'the',
  'bird',
  'BIRD',
  '##s',
  '<mask>',
  '<s>',
  '</s>',
]
const vocab = Object.fromEntries(words.map((word, id) => [word, id]))
const file = {
  version: '1.0',
  added_tokens: words
    .slice(0, 5)
    .map((content, id) => ({ id, content, special: true, normalized: false, lstrip: false, rstrip: false })),
  normalizer: null,
  pre_tokenizer: { type: 'WhitespaceSplit' },
  post_processor: null,
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab,
  },
}

describe('a folder whose files say different things of its tokenizer', () => {
  it("gives the ids of transformers' AutoTokenizer, for each of 60 that were drawn", async () => {
    let compared = 0
    for (const [i, { kind, cls, files, ids }] of drawn.entries()) {
      if (ids === null) continue
      const whole = files['tokenizer.json']!
      const model = { ...(whole['model'] as object), ...head.vocabs[kind] }
      const tokenizer = await tokenizerOf({ ...files, 'tokenizer.json': { ...whole, model } })
      for (const [k, text] of head.texts.entries()) {
        const right = ids[k]
        if (!right) expect(() => tokenizer!.encode(text), `${i} ${cls} ${text}`).toThrow()
        else expect(tokenizer!.encode(text).ids, `${i} ${cls} ${JSON.stringify(text)}`).toEqual(right)
      }
      compared++
    }
    expect(compared).toBeGreaterThan(55)
  })

  it('is refused by name where its class has steps that are not built here, unless it asks for those of the file', async () => {
    const named = (tokenizer_class: string) => ({
      'tokenizer.json': file,
      'tokenizer_config.json': { tokenizer_class },
    })
    await expect(tokenizerOf(named('FunnelTokenizer'))).rejects.toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
      message: expect.stringContaining('FunnelTokenizer'),
      hint: expect.stringContaining('PreTrainedTokenizerFast'),
    })
    // Of a file with another model than its class's, transformers makes nothing that could be meant.
    for (const other of ['LlamaTokenizerFast', 'LukeTokenizer', 'EsmTokenizer']) {
      expect((await tokenizerOf(named(other)))!.encode('the BIRD').ids).toEqual([5, 7])
    }
    const plain = await tokenizerOf(named('PreTrainedTokenizerFast'))
    expect(plain!.encode('the BIRD').ids).toEqual([5, 7])
  })

  it('takes the class that the type of its network has, where nothing names one', async () => {
    const tokenizer = await tokenizerOf({ 'tokenizer.json': file, 'config.json': { model_type: 'bert' } })
    expect(tokenizer!.encode('the BIRDs').ids).toEqual([2, 5, 6, 8, 3])
  })

  it('finds tokens that only older files name, and pads with the token that is named', async () => {
    const tokenizer = await tokenizerOf({
      'tokenizer.json': file,
      'added_tokens.json': { '<new>': 12 },
      'special_tokens_map.json': { additional_special_tokens: ['<more>'], pad_token: '[MASK]' },
      'tokenizer_config.json': { tokenizer_class: 'PreTrainedTokenizerFast' },
    })
    expect(tokenizer!.encode('the<new> bird <more>').ids).toEqual([5, 12, 6, 13])
    expect(tokenizer!.padId).toBe(4)
  })

  it('leaves special tokens to be text where split_special_tokens says so', async () => {
    const settings = { tokenizer_class: 'PreTrainedTokenizerFast', split_special_tokens: true }
    const tokenizer = await tokenizerOf({
      'tokenizer.json': { ...file, pre_tokenizer: { type: 'BertPreTokenizer' } },
      'tokenizer_config.json': settings,
    })
    expect(tokenizer!.encode('[SEP] bird').ids).toEqual([1, 1, 1, 6])
  })
})

describe('a folder without tokenizer.json', () => {
  const folder = (type: string) => ({ 'vocab.txt': words.join('\n'), 'config.json': { model_type: type } })

  it('adds its tokens, too', async () => {
    const tokenizer = await tokenizerOf({ ...folder('bert'), 'added_tokens.json': { '<new>': 12 } })
    expect(tokenizer!.encode('the<new> Bird').ids).toEqual([2, 5, 12, 6, 3])
  })

  it.each([
    'phobert',
    'roformer',
    'esm',
  ])('is refused where its class reads vocab.txt otherwise: %s', async (type) => {
    await expect(tokenizerOf(folder(type))).rejects.toMatchObject({ code: 'FORMAT_UNSUPPORTED' })
  })

  it.each([
    'deberta-v2',
    'mbart',
    'xlnet',
    'nonesuch',
  ])('is refused where a SentencePiece model is used in a way that is not known: %s', async (type) => {
    const model = await readFile(
      new URL('../testdata/vocabularies/t5/spiece.model', import.meta.url),
      'latin1',
    )
    const path = await mkdtemp(join(cache, 'folder-'))
    await writeFile(join(path, 'spiece.model'), model, 'latin1')
    await writeFile(join(path, 'config.json'), JSON.stringify({ model_type: type }))
    const files = await resolveSource({ kind: 'file', path })
    await expect(tokenizerPath(files)).rejects.toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
      hint: expect.stringContaining('tokenizer.json'),
    })
  })
})
