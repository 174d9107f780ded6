// Makes a `tokenizer.json` from a SentencePiece model.
import { encodeBase64, PipiloError } from '../../base/index.ts'
import {
  addedTokens,
  around,
  flag,
  type Part,
  type Settings,
  specialToken,
  type TokenizerJson,
  tokenizerJson,
} from './parts.ts'
import { PIECE, readSentencePiece, type SentencePieceModel } from './sentencePieceModel.ts'

/** Characters that SigLIP drops from a text: Python's `string.punctuation`. */
const PUNCTUATION = '[!-/:-@\\[-`{-~]'

interface Style {
  /** Pieces in the order of their ids. */
  readonly vocab: readonly (readonly [string, number])[]
  readonly unknownId: number
  /** Steps before those that the model itself says. */
  readonly normalizers: readonly Part[]
  readonly start: string | undefined
  readonly end: string | undefined
  readonly special: readonly string[]
  /** Text is normalised by SentencePiece itself, as in Python's class, not as in `tokenizers`. */
  readonly itself?: boolean
}

/**
 * A Unigram tokenizer from a SentencePiece model, in the ways of XLM-RoBERTa (whose ids are shifted by one), CamemBERT (by four), ALBERT, SigLIP and
 * T5.
 *
 * @param label what errors call the file
 * @throws PipiloError `FORMAT_INVALID`, `FORMAT_UNSUPPORTED` for models that are not Unigram
 */
export function sentencePiece(bytes: Uint8Array, settings: Settings, label: string): TokenizerJson {
  const model = parse(bytes, label)
  const style = styleOf(model, settings)
  const ids = new Map(style.vocab.map(([piece], id) => [piece, id]))
  const idOf = (token: string) => ids.get(token)
  const user = model.pieces.filter(({ type }) => type === PIECE.userDefined).map(({ text }) => text)
  const charsmap = encodeBase64(model.charsmap)
  return tokenizerJson({
    added_tokens: addedTokens(settings, [...style.special, ...user], idOf),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        ...style.normalizers,
        ...(charsmap === ''
          ? []
          : [
              { type: 'Precompiled', precompiled_charsmap: charsmap, ...(style.itself && { longest: true }) },
            ]),
      ],
    },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'WhitespaceSplit' },
        {
          type: 'Metaspace',
          replacement: '▁',
          prepend_scheme: 'always',
          add_prefix_space: true,
          split: true,
        },
      ],
    },
    post_processor: around(style.start, style.end, idOf),
    model: { type: 'Unigram', unk_id: style.unknownId, vocab: style.vocab, byte_fallback: false },
  })
}

function parse(bytes: Uint8Array, label: string): SentencePieceModel {
  let model: SentencePieceModel
  try {
    model = readSentencePiece(bytes)
  } catch (cause) {
    throw new PipiloError('FORMAT_INVALID', `${label} is no SentencePiece model.`, { input: label, cause })
  }
  if (model.pieces.length === 0) {
    throw new PipiloError('FORMAT_INVALID', `${label} is a SentencePiece model without pieces.`, {
      input: label,
    })
  }
  if (model.modelType !== 1) {
    throw new PipiloError('FORMAT_UNSUPPORTED', `${label} is a SentencePiece model that is not Unigram.`, {
      input: label,
      hint: "Save the tokenizer as tokenizer.json: tokenizer.save_pretrained(folder) of transformers' fast one.",
    })
  }
  return model
}

function styleOf({ pieces, unknownId }: SentencePieceModel, settings: Settings): Style {
  const named = (role: string, usual: string) => specialToken(settings, role, usual)
  const scored = pieces.map(({ text, score }) => [text, score] as const)
  const has = (token: string) => pieces.some(({ text }) => text === token)
  if (settings.kind === 'XLMRoberta') {
    const [start, pad, end, unknown, mask] = [
      named('bos_token', '<s>'),
      named('pad_token', '<pad>'),
      named('eos_token', '</s>'),
      named('unk_token', '<unk>'),
      named('mask_token', '<mask>'),
    ]
    const head = [start, pad, end, unknown].map((token) => [token, 0] as const)
    // The model's own first three are <unk>, <s> and </s>.
    const vocab = [...head, ...scored.slice(3), [mask, 0] as const]
    return { vocab, unknownId: 3, normalizers: [], start, end, special: [start, pad, end, unknown, mask] }
  }
  if (settings.kind === 'Camembert') {
    const [start, end, unknown] = ['<s>', '</s>', named('unk_token', '<unk>')]
    const [pad, mask] = [named('pad_token', '<pad>'), named('mask_token', '<mask>')]
    // fairseq's own first four stand before the model's, of which the first is <unk> once more.
    const head = ['<s>NOTUSED', pad, '</s>NOTUSED', unknown].map((token) => [token, 0] as const)
    const vocab = [...head, ['<unk>NOTUSED', -100] as const, ...scored.slice(1), [mask, 0] as const]
    return { vocab, unknownId: 3, normalizers: [], start, end, special: [start, pad, end, unknown, mask] }
  }
  if (settings.kind === 'Albert' || has('[CLS]')) {
    const [start, end] = [named('cls_token', '[CLS]'), named('sep_token', '[SEP]')]
    const normalizers = albertNormalizers(settings)
    const special = [
      start,
      end,
      named('unk_token', '<unk>'),
      named('pad_token', '<pad>'),
      named('mask_token', '[MASK]'),
    ]
    return { vocab: scored, unknownId, normalizers, start, end, special }
  }
  const end = named('eos_token', '</s>')
  const special = [end, named('unk_token', '<unk>'), named('pad_token', '<pad>')]
  const cleaned = [
    ...(flag(settings, 'do_lower_case', true)
      ? // Python's `str.lower`, unlike the step, makes a capital sigma at a word's end a final one.
        [{ type: 'Lowercase', final_sigma: true }]
      : []),
    { type: 'Replace', pattern: { Regex: PUNCTUATION }, content: '' },
    { type: 'Replace', pattern: { Regex: '\\s+' }, content: ' ' },
    { type: 'Strip', strip_left: true, strip_right: true },
  ]
  if (settings.kind === 'T5') {
    // Below the pieces stand those that stand for what is left out, the first one last.
    const extra = extraIds(settings)
    const vocab = [...scored, ...extra.toReversed().map((token) => [token, 0] as const)]
    return { vocab, unknownId, normalizers: [], start: undefined, end, special: [...special, ...extra] }
  }
  const itself = settings.kind === 'Siglip'
  return {
    vocab: scored,
    unknownId,
    normalizers: itself ? cleaned : [],
    start: undefined,
    end,
    special,
    itself,
  }
}

/** Most tokens `<extra_id_0>`, … that T5's settings may ask for. */
const MOST_EXTRA = 10_000

/** T5's tokens for what is left out of a text: `<extra_id_0>`, …, by default 100. */
export function extraIds({ config }: Settings): string[] {
  const count = typeof config['extra_ids'] === 'number' ? config['extra_ids'] : 100
  return Array.from({ length: Math.max(0, Math.min(count, MOST_EXTRA)) }, (_, i) => `<extra_id_${i}>`)
}

/** ALBERT's normalizers, but for the map of characters of its SentencePiece model. */
export function albertNormalizers(settings: Settings): Part[] {
  return [
    { type: 'Replace', pattern: { String: '``' }, content: '"' },
    { type: 'Replace', pattern: { String: "''" }, content: '"' },
    ...(flag(settings, 'keep_accents', false) ? [] : [{ type: 'NFKD' }, { type: 'StripAccents' }]),
    ...(flag(settings, 'do_lower_case', true) ? [{ type: 'Lowercase' }] : []),
  ]
}
