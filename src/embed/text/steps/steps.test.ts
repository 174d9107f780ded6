import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import drawn from '../../testdata/tokenizer_steps.json' with { type: 'json' }
import { parseTokenizer, TextTokenizer } from '../tokenizer.ts'
import { Steps } from './index.ts'
import { pattern, stretches } from './patterns.ts'

type File = Record<string, unknown>

const vocab = { '<unk>': 0, a: 1, b: 2, '##b': 3, ab: 4 }
const model = { type: 'WordLevel', vocab, unk_token: '<unk>' }
const wordPiece = {
  type: 'WordPiece',
  vocab,
  unk_token: '<unk>',
  continuing_subword_prefix: '##',
  max_input_chars_per_word: 9,
}
const bpe = { type: 'BPE', vocab, merges: [['a', 'b']], unk_token: '<unk>' }
const replace = (source: string, content = '') => ({ type: 'Replace', pattern: { Regex: source }, content })

describe('the steps of a tokenizer (a-01 to a-04)', () => {
  it.each(
    drawn.tokenizers.map(({ name, file, ids }) => [name, file as File, ids] as const),
  )("give the ids of Python's: %s", (_, file, ids) => {
    const tokenizer = new TextTokenizer(file)
    const limit = 'truncation' in file ? 4 : undefined
    for (const [i, text] of drawn.texts.entries())
      expect(tokenizer.encode(text, limit).ids, text).toEqual(ids[i])
  })

  it('normalize texts of millions of marks, and of as many apostrophes before a sigma', () => {
    const bert = { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, lowercase: true }
    const long = new TextTokenizer({ model, normalizer: bert })
    expect(long.encode(`a${'\u0301'.repeat(4e6)} ${'e\u0301'.repeat(4e6)}`, 2).ids.length).toBeGreaterThan(0)
    const words = new TextTokenizer({
      model: { ...model, vocab: { ...vocab, "a''ς": 5, "a''σb": 6, ας: 7 } },
      normalizer: { type: 'Lowercase', final_sigma: true },
      pre_tokenizer: { type: 'WhitespaceSplit' },
    })
    expect(words.encode("A''Σ A''ΣB ΑΣ").ids).toEqual([5, 6, 7])
    // In quadratic time this outlasts the test.
    expect(words.encode(`a${"'".repeat(1e6)}Σ ${"'".repeat(1e6)}`).ids).toHaveLength(2)
  })

  it.each<[string, File]>([
    ["normalizer 'Backwards' is not known", { model, normalizer: { type: 'Backwards' } }],
    ["pre_tokenizer 'Backwards' is not known", { model, pre_tokenizer: { type: 'Backwards' } }],
    ["post_processor 'Backwards' is not known", { model, post_processor: { type: 'Backwards' } }],
    ["model 'Backwards' is not known", { model: { ...model, type: 'Backwards' } }],
    ["option 'twice'", { model, pre_tokenizer: { type: 'Whitespace', twice: true } }],
    ["option 'twice'", { model: { ...model, twice: true } }],
    ['dropout of 0.1', { model: { ...bpe, dropout: 0.1 } }],
    ["'Backwards' for 'behavior'", { model, pre_tokenizer: { type: 'Punctuation', behavior: 'Backwards' } }],
    ['16 steps deep', { model, normalizer: nested(20) }],
    [
      '256 times as long',
      {
        model,
        normalizer: {
          type: 'Sequence',
          normalizers: Array(9).fill({ type: 'Replace', pattern: { String: 'a' }, content: 'aa' }),
        },
      },
    ],
    ['finds nothing', { model, normalizer: replace('x*', 'y') }],
    ...['(a+)+b', '(a|a)*b', '(a|ab)*c', '(.*a){20}', 'a*a*b', '(?:a?b?)*c', '(?:\\s*)*x'].map(
      (source): [string, File] => ['search without end', { model, normalizer: replace(source) }],
    ),
    ...['\\X', '\\R', '(?<=a++)b', '\\p{Nobody}', '(?i:ss)', '(?i:ä)', '[a-', '(a', '\\1', 'a**'].map(
      (source): [string, File] => ['of the normalizer Replace', { model, normalizer: replace(source) }],
    ),
  ])('refuse by name: %s', (said, file) => {
    expect(() => new Steps(file)).toThrow(
      expect.objectContaining({ code: 'FORMAT_UNSUPPORTED', message: expect.stringContaining(said) }),
    )
  })

  it.each<[string, File]>([
    ["'<none>' for unknown words", { model: { ...model, unk_token: '<none>' } }],
    ["'<none>' for unknown words", { model: { ...wordPiece, unk_token: '<none>' } }],
    ["'<none>' for what is unknown", { model: { ...bpe, unk_token: '<none>' } }],
    ['empty vocabulary', { model: { ...model, vocab: {} } }],
    ['empty vocabulary', { model: { type: 'Unigram', vocab: [], unk_id: 0 } }],
    ['only 1 pieces', { model: { type: 'Unigram', vocab: [['a', 0]], unk_id: 1 } }],
    ['two tokens the same id', { model: { ...model, vocab: { ...vocab, c: 4 } } }],
    ['no whole number', { model: { ...model, vocab: { ...vocab, c: 4.5 } } }],
    ["merges 'ba'", { model: { ...bpe, merges: [['b', 'a']] } }],
    [
      "puts '[CLS]' as 7",
      { model, post_processor: { type: 'BertProcessing', cls: ['[CLS]', 7], sep: ['a', 1] } },
    ],
    ['holds as 1', { model, post_processor: { type: 'BertProcessing', cls: ['a', 2], sep: ['a', 1] } }],
    ['has the id 9, and 5', { model, added_tokens: [{ id: 9, content: 'new', special: true }] }],
    [
      'leaves nothing',
      { model, normalizer: replace('n'), added_tokens: [{ id: 5, content: 'n', special: false }] },
    ],
    ['no map of characters', { model, normalizer: { type: 'Precompiled', precompiled_charsmap: 'AAAA' } }],
    ['model is no object', {}],
  ])('are no tokenizer where ids would be wrong: %s', (said, file) => {
    expect(() => new Steps(file)).toThrow(
      expect.objectContaining({ code: 'FORMAT_INVALID', message: expect.stringContaining(said) }),
    )
  })

  it('have no ids for what the vocabulary has no token for', () => {
    const steps = new Steps({ model: { type: 'Unigram', vocab: [['a', 0]], unk_id: null } })
    expect(steps.ids('aa')).toEqual([0, 0])
    expect(() => steps.ids('ab')).toThrow(expect.objectContaining({ code: 'TEXT_INVALID' }))
  })

  it('take as long for long texts as for short ones, letter by letter', () => {
    const merges = Array.from({ length: 12 }, (_, i) => [`${'a'.repeat(2 ** i)}`, `${'a'.repeat(2 ** i)}`])
    const words = ['a', ...merges.map((pair) => pair.join(''))]
    const own = Object.fromEntries(words.map((word, id) => [word, id]))
    const steps = new Steps({ model: { type: 'BPE', vocab: own, merges } })
    expect(steps.ids('a'.repeat(4096 * 40 + 1))).toEqual([...Array(40).fill(12), 0])
  })

  it('are those of older files without a type or with a mark of byte order', async () => {
    const { type: _, ...untyped } = bpe
    const json = `\ufeff${JSON.stringify({ version: '1.0', model: untyped })}`
    expect((await parseTokenizer(json, 'old.json')).encode('ab?').ids).toEqual([4, 0])
  })
})

describe('work', () => {
  const refused = (file: File) =>
    expect(() => new Steps({ model: bpe, ...file })).toThrow(
      expect.objectContaining({
        code: 'FORMAT_UNSUPPORTED',
        message: expect.stringContaining('times as long'),
      }),
    )

  it.each<[string, string, readonly File[]]>([
    ['doubling', 'normalizers', Array(9).fill({ type: 'Replace', pattern: { String: 'a' }, content: 'aa' })],
    ['bytes of bytes', 'normalizers', Array(6).fill({ type: 'ByteLevel' })],
    ['a long word', 'normalizers', [{ type: 'Replace', pattern: { String: 'a' }, content: 'a'.repeat(300) }]],
    [
      'words in words',
      'pretokenizers',
      [...'abcdefghi'].map((replacement) => ({ type: 'Metaspace', replacement, prepend_scheme: 'always' })),
    ],
    [
      'bytes of bytes',
      'pretokenizers',
      Array(5).fill({ type: 'ByteLevel', add_prefix_space: true, use_regex: true }),
    ],
  ])('is bounded by the text: %s among %s', (_, list, steps) => {
    refused({
      [list === 'normalizers' ? 'normalizer' : 'pre_tokenizer']: { type: 'Sequence', [list]: steps },
    })
  })

  it('is bounded by the text: a map of characters with a long entry', () => {
    const charsmap = new Uint8Array(4 + 4 + 300)
    charsmap[0] = 4
    charsmap.fill(97, 8)
    refused({
      normalizer: { type: 'Precompiled', precompiled_charsmap: Buffer.from(charsmap).toString('base64') },
    })
  })
})

/** Sequences within sequences. */
function nested(depth: number): File {
  return depth === 0 ? { type: 'NFC' } : { type: 'Sequence', normalizers: [nested(depth - 1)] }
}

describe('patterns', () => {
  const cut = (source: string, text: string) =>
    stretches(pattern({ Regex: source }, 'test').regex, text).map(({ start, end }) => text.slice(start, end))

  it.each([
    ['^|$', '℆𠂱 ', ['', '℆𠂱 ', '']],
    ['\\b', 'x² b', ['', 'x²', '', ' ', '', 'b', '']],
    ['[a-z&&[^aeiou]]+', 'hello', ['h', 'e', 'll', 'o']],
    ["(?i:'s|k)", "k'S \u212a\u017f", ['k', "'S", ' ', '\u212a', '\u017f']],
    ['(?>a|ab)c', 'abcac', ['abc', 'ac']],
    ['\\p{N}{1,3}+', '12345', ['12345']],
    ['\\s+(?!\\S)|\\s+', 'a  \u0085b', ['a', '  ', '\u0085', 'b']],
  ])('find what Oniguruma finds: %s in %j', (source, text, parts) => {
    expect(cut(source, text)).toEqual(parts)
  })

  it.each([
    '(a+)+$',
    '(a|aa)*b',
    'a*a*b',
    `${'a?'.repeat(30)}${'a'.repeat(30)}`,
    `${'(?:a|a)'.repeat(30)}b`,
    `${'a{0,8}'.repeat(12)}b`,
    `(?=${'(?:a|ab?)'.repeat(30)}c)a`,
    '(?:a?b?){1,40}c',
  ])('that could search without end are refused: %s', (source) => {
    expect(() => pattern({ Regex: source }, 'test')).toThrow(
      expect.objectContaining({
        code: 'FORMAT_UNSUPPORTED',
        message: expect.stringContaining('search without end'),
      }),
    )
  })

  it('that are taken search for no longer than the square of a text, whatever they are drawn from', () => {
    const atom = fc.constantFrom(
      'a',
      'b',
      '[ab]',
      '.',
      '\\w',
      '(?:a|b)',
      '(?:a|ab)',
      '(?:a|a)',
      '(?=a)',
      'ab',
    )
    const times = fc.constantFrom('', '', '?', '*', '+', '{2}', '{0,3}', '{1,20}', '*?', '++')
    const drawn = fc
      .array(fc.tuple(atom, times), { minLength: 1, maxLength: 24 })
      .map((parts) => `${parts.map(([what, often]) => (what === '(?=a)' ? what : what + often)).join('')}c`)
    const text = `${'a'.repeat(150)}${'ab'.repeat(150)}`
    fc.assert(
      fc.property(drawn, (source) => {
        let regex: RegExp
        try {
          ;({ regex } = pattern({ Regex: source }, 'test'))
        } catch {
          return true
        }
        // A search that did not end would not come back.
        return stretches(regex, text).length > 0
      }),
      { numRuns: 300 },
    )
  })
})
