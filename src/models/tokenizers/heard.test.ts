import { describe, expect, it } from 'vitest'
import { heard, says } from './heard.ts'

const bert = (lowercase: boolean) => ({
  normalizer: {
    type: 'BertNormalizer',
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase,
  },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab: {},
  },
})

describe('heard', () => {
  it("gives BERT's classes the steps of their settings (a-06)", () => {
    const settings = { kind: 'Bert', config: { do_lower_case: false, strip_accents: true } }
    expect(heard(bert(true), settings)).toMatchObject({
      normalizer: { lowercase: false, strip_accents: true },
    })
    // Lower case is what the class does where nothing is said.
    expect(heard(bert(false), { kind: 'MPNet', config: {} })).toMatchObject({
      normalizer: { lowercase: true },
    })
  })

  it('leaves alone what agrees, and other classes', () => {
    const file = bert(true)
    expect(heard(file, { kind: 'Bert', config: { do_lower_case: true } })).toBe(file)
    expect(heard(file, { kind: '', config: { do_lower_case: false } })).toBe(file)
    expect(says({ kind: '', config: { do_lower_case: false } })).toBe(false)
  })

  it('adds the tokens that the settings have beyond those of the file', () => {
    const token = { content: '[NEW]', single_word: true, special: false }
    const file = { ...bert(true), added_tokens: [{ id: 0, content: '[PAD]' }] }
    const settings = { kind: '', config: { added_tokens_decoder: { 0: { content: '[PAD]' }, 9: token } } }
    expect(says(settings)).toBe(true)
    expect(heard(file, settings)).toMatchObject({
      added_tokens: [
        { id: 0, content: '[PAD]' },
        { id: 9, lstrip: false, ...token },
      ],
    })
    expect(heard(file, { kind: '', config: { added_tokens_decoder: { 0: { content: '[PAD]' } } } })).toBe(
      file,
    )
  })

  it('cuts on the side that the settings say (a-05)', () => {
    const file = bert(true)
    expect(heard(file, { kind: '', config: { truncation_side: 'left' } })).toMatchObject({
      truncation: { direction: 'Left' },
    })
    expect(heard(file, { kind: '', config: { truncation_side: 'right' } })).toBe(file)
    const left = {
      ...file,
      truncation: { direction: 'Left', max_length: 9, strategy: 'LongestFirst', stride: 0 },
    }
    expect(heard(left, { kind: '', config: {} })).toBe(left)
    expect(heard(left, { kind: '', config: { truncation_side: 'right' } })).toMatchObject({
      truncation: { direction: 'Right', max_length: 9 },
    })
  })

  it('puts a space before a text where byte-level classes are told so', () => {
    const file = { pre_tokenizer: { type: 'ByteLevel', add_prefix_space: true }, model: { type: 'BPE' } }
    expect(heard(file, { kind: 'Roberta', config: {} })).toMatchObject({
      pre_tokenizer: { add_prefix_space: false },
    })
    expect(heard(file, { kind: 'Roberta', config: { add_prefix_space: true } })).toBe(file)
  })

  it('keeps accents and case as ALBERT is told', () => {
    const file = { normalizer: { type: 'Precompiled', precompiled_charsmap: '' }, model: { type: 'Unigram' } }
    const { normalizer } = heard(file, {
      kind: 'Albert',
      config: { do_lower_case: false, keep_accents: true },
    })
    expect((normalizer as { normalizers: { type: string }[] }).normalizers.map(({ type }) => type)).toEqual([
      'Replace',
      'Replace',
      'Precompiled',
    ])
  })
})
