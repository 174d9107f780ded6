import { describe, expect, it } from 'vitest'
import { heard, says, settingsFrom } from './heard.ts'
import type { Part } from './parts.ts'

const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
const beside = (token: string, id: number) => ({ [token]: { id: token, ids: [id], tokens: [token] } })
const bert = (lowercase: boolean): Part => ({
  added_tokens: special.map((content, id) => ({ id, content, ...flags })),
  normalizer: {
    type: 'BertNormalizer',
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase,
  },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  post_processor: {
    type: 'TemplateProcessing',
    single: [
      { SpecialToken: { id: '[CLS]', type_id: 0 } },
      { Sequence: { id: 'A', type_id: 0 } },
      { SpecialToken: { id: '[SEP]', type_id: 0 } },
    ],
    pair: [],
    special_tokens: { ...beside('[CLS]', 2), ...beside('[SEP]', 3) },
  },
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(special.map((token, id) => [token, id])),
  },
})
const of = (file: Part, kind: string, config: Part) => heard(file, { kind, config }, 'x')

describe('heard', () => {
  it("gives BERT's classes the steps of their settings (a-06)", () => {
    const config = { do_lower_case: false, strip_accents: true }
    expect(of(bert(true), 'Bert', config)).toMatchObject({
      normalizer: { lowercase: false, strip_accents: true },
    })
    // Lower case is what the class does where nothing is said.
    expect(of(bert(false), 'Electra', {})).toMatchObject({ normalizer: { lowercase: true } })
  })

  it('is the same object where all agrees, however the file spells it', () => {
    const file = bert(true)
    expect(of(file, 'Bert', { do_lower_case: true, cls_token: '[CLS]' })).toBe(file)
    const older = {
      ...file,
      post_processor: { type: 'BertProcessing', sep: ['[SEP]', 3], cls: ['[CLS]', 2] },
    }
    expect(of(older, 'DistilBert', {})).toBe(older)
    expect(of(file, '', { do_lower_case: false })).toBe(file)
    expect(says({ kind: '', config: { do_lower_case: false } })).toBe(false)
    expect(says({ kind: '', config: { cls_token: '[CLS]' } })).toBe(true)
  })

  it('puts the special tokens of the settings around a text', () => {
    const { post_processor: made } = of(bert(true), 'Bert', { cls_token: '[MASK]' })
    expect((made as { single: unknown[] }).single[0]).toEqual({ SpecialToken: { id: '[MASK]', type_id: 0 } })
  })

  it('adds the tokens that the settings have beyond those of the file', () => {
    const token = { content: '[NEW]', single_word: true, special: false }
    const config = { added_tokens_decoder: { 5: token } }
    expect(of(bert(true), '', config)['added_tokens']).toContainEqual({
      id: 5,
      content: '[NEW]',
      ...flags,
      single_word: true,
      normalized: true,
      special: false,
    })
  })

  it('cuts on the side that the settings say (a-05)', () => {
    const file = bert(true)
    expect(of(file, '', { truncation_side: 'left' })).toMatchObject({ truncation: { direction: 'Left' } })
    expect(of(file, '', { truncation_side: 'right' })).toBe(file)
    const stated = { direction: 'Left', max_length: 9, strategy: 'LongestFirst', stride: 0 }
    const left = { ...file, truncation: stated }
    expect(of(left, '', {})).toBe(left)
    expect(of(left, '', { truncation_side: 'right' })).toMatchObject({
      truncation: { direction: 'Right', max_length: 9 },
    })
  })
})

describe('settingsFrom', () => {
  const older = {
    map: { mask_token: { content: '<mask>', lstrip: true }, additional_special_tokens: ['<a>'] },
    added: { '<a>': 9, '<b>': 10 },
  }

  it('hears older files only where the settings do not list the added tokens', () => {
    const { config, legacy } = settingsFrom({ mask_token: '[MASK]' }, older, 'x')
    expect(legacy).toBe(true)
    expect(config).toMatchObject({
      mask_token: { content: '<mask>' },
      added_tokens_decoder: { 9: { content: '<a>' }, 10: { content: '<b>', normalized: true } },
    })
    const stated = { mask_token: '[MASK]', added_tokens_decoder: {} }
    expect(settingsFrom(stated, older, 'x')).toEqual({ config: stated, legacy: false })
  })

  it('refuses what it cannot do', () => {
    expect(() => settingsFrom({ fix_mistral_regex: true }, older, 'x')).toThrow(
      expect.objectContaining({ code: 'FORMAT_UNSUPPORTED' }),
    )
  })
})
