// Classes of transformers 5 that take only the vocabulary of a `tokenizer.json`, and build its steps themselves.
import { PipiloError } from '../../base/index.ts'
import { CLIP_WORDS, QWEN_WORDS } from './byteLevel.ts'
import { flag, type Part, type Settings } from './parts.ts'
import { albertNormalizers, extraIds } from './sentencePiece.ts'
import { bertSteps } from './wordPiece.ts'

/** Names of special tokens that every class knows, in the order in which tokens are added. */
export const ROLES = [
  'bos_token',
  'eos_token',
  'unk_token',
  'sep_token',
  'pad_token',
  'cls_token',
  'mask_token',
] as const
export type Role = (typeof ROLES)[number]

/** A special token that a class has where the files say nothing: its text, or one that takes the spaces before it. */
export type Usual = string | { readonly content: string; readonly lstrip: true }

/** Facts about a vocabulary that a class asks for. */
export interface Vocabulary {
  /** The `model` of the file. */
  readonly model: Part
  /** The step of characters that SentencePiece models bring, as a list of none or one. */
  readonly charsmap: readonly Part[]
}

/** A class that builds its own steps. */
export interface TokenizerClass {
  readonly model: 'WordPiece' | 'BPE' | 'Unigram'
  readonly tokens: Partial<Record<Role, Usual>>
  /** It takes the steps and the tokens of the file after all, and only names special tokens of its own. */
  readonly keeps?: true
  /** All special tokens lose what the files say of white space beside them. */
  readonly bare?: true
  /** Further special tokens, where the settings name none in `extra_special_tokens`. */
  extra?(settings: Settings, additional: readonly unknown[] | undefined): readonly unknown[]
  steps(settings: Settings, vocabulary: Vocabulary): { normalizer: Part | null; pre_tokenizer: Part | null }
  /** The model's options besides vocabulary and merges; `unknown` is the text of `unk_token`. */
  options(settings: Settings, vocabulary: Vocabulary, unknown: string): Part
  /** Special tokens around a text, by their roles; undefined: those of the file. */
  readonly around?: readonly [before: Role | undefined, after: Role | undefined]
  /** The file's own tokens around a text come first. */
  readonly yields?: true
}

const sequence = (name: 'normalizers' | 'pretokenizers', parts: readonly Part[]): Part => ({
  type: 'Sequence',
  [name]: parts,
})
const replaced = (regex: string, content: string): Part => ({
  type: 'Replace',
  pattern: { Regex: regex },
  content,
})
const metaspace = (scheme: string, split = true): Part => ({
  type: 'Metaspace',
  replacement: '▁',
  prepend_scheme: scheme,
  split,
})
const byteLevelWords = (prefixed: boolean, split = true): Part => ({
  type: 'ByteLevel',
  add_prefix_space: prefixed,
  trim_offsets: true,
  use_regex: split,
})
const piecesOfWords = (settings: Settings): Part =>
  sequence('pretokenizers', [
    { type: 'WhitespaceSplit' },
    metaspace(flag(settings, 'add_prefix_space', true) ? 'always' : 'never'),
  ])
const one = (list: readonly Part[]): Part | null => list[0] ?? null

const masking = (content: string): Usual => ({ content, lstrip: true })
const BPE: Part = {
  dropout: null,
  unk_token: null,
  continuing_subword_prefix: '',
  end_of_word_suffix: '',
  fuse_unk: false,
  byte_fallback: false,
  ignore_merges: false,
}
const unigram = (unk_id: number): Part => ({ unk_id, byte_fallback: false })

const bert: TokenizerClass = {
  model: 'WordPiece',
  tokens: {
    unk_token: '[UNK]',
    sep_token: '[SEP]',
    pad_token: '[PAD]',
    cls_token: '[CLS]',
    mask_token: '[MASK]',
  },
  steps: bertSteps,
  options: (_, __, unknown) => ({
    unk_token: unknown,
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
  }),
  around: ['cls_token', 'sep_token'],
}
const roberta: TokenizerClass = {
  model: 'BPE',
  tokens: {
    bos_token: '<s>',
    eos_token: '</s>',
    sep_token: '</s>',
    cls_token: '<s>',
    unk_token: '<unk>',
    pad_token: '<pad>',
    mask_token: '<mask>',
  },
  steps: (settings) => ({
    normalizer: null,
    pre_tokenizer: byteLevelWords(flag(settings, 'add_prefix_space', false)),
  }),
  options: () => BPE,
  around: ['cls_token', 'sep_token'],
}
const brackets: TokenizerClass['tokens'] = {
  bos_token: '[CLS]',
  eos_token: '[SEP]',
  sep_token: '[SEP]',
  cls_token: '[CLS]',
  pad_token: '[PAD]',
  unk_token: '[UNK]',
  mask_token: '[MASK]',
}
const albert: TokenizerClass = {
  model: 'Unigram',
  tokens: { ...brackets, unk_token: '<unk>', pad_token: '<pad>' },
  steps: (settings, { charsmap }) => ({
    normalizer: sequence('normalizers', [...albertNormalizers(settings), ...charsmap]),
    pre_tokenizer: piecesOfWords(settings),
  }),
  options: () => unigram(1),
  around: ['cls_token', 'sep_token'],
  yields: true,
}
const endOfText = '<|endoftext|>'
const gpt2: TokenizerClass = {
  model: 'BPE',
  tokens: { unk_token: endOfText, bos_token: endOfText, eos_token: endOfText },
  steps: roberta.steps,
  options: () => BPE,
}
const qwen2: TokenizerClass = {
  model: 'BPE',
  tokens: { unk_token: endOfText, eos_token: endOfText, pad_token: endOfText },
  steps: (settings) => ({
    normalizer: { type: 'NFC' },
    pre_tokenizer: sequence('pretokenizers', [
      { type: 'Split', pattern: { Regex: QWEN_WORDS }, behavior: 'Isolated', invert: false },
      byteLevelWords(flag(settings, 'add_prefix_space', false), false),
    ]),
  }),
  options: () => BPE,
  bare: true,
}

const gemma: TokenizerClass = {
  model: 'BPE',
  tokens: {
    unk_token: '<unk>',
    bos_token: '<bos>',
    eos_token: '<eos>',
    pad_token: '<pad>',
    mask_token: '<mask>',
  },
  steps: () => ({
    normalizer: { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
    pre_tokenizer: {
      type: 'Split',
      pattern: { String: ' ' },
      behavior: 'MergedWithPrevious',
      invert: false,
    },
  }),
  options: (_, __, unknown) => ({ ...BPE, fuse_unk: true, byte_fallback: true, unk_token: unknown }),
}

/** Classes by their names without `Tokenizer` and `Fast`. */
const CLASSES: Readonly<Record<string, TokenizerClass>> = {
  Bert: bert,
  // It passes the setting over.
  DPRContextEncoder: { ...bert, steps: ({ kind, config }) => bertSteps({ kind, config: without(config) }) },
  MPNet: {
    ...bert,
    tokens: { ...roberta.tokens, unk_token: '[UNK]', mask_token: masking('<mask>') },
  },
  Roberta: roberta,
  GPT2: gpt2,
  GPTNeoX: {
    ...gpt2,
    tokens: { ...gpt2.tokens, pad_token: '<|padding|>' },
    steps: (settings, vocabulary) => ({
      ...gpt2.steps(settings, vocabulary),
      normalizer: { type: 'NFC' },
    }),
    around: [undefined, undefined],
  },
  CLIP: {
    model: 'BPE',
    tokens: {
      unk_token: endOfText,
      bos_token: '<|startoftext|>',
      eos_token: endOfText,
      pad_token: endOfText,
    },
    steps: () => ({
      normalizer: sequence('normalizers', [{ type: 'NFC' }, replaced('\\s+', ' '), { type: 'Lowercase' }]),
      pre_tokenizer: sequence('pretokenizers', [
        { type: 'Split', pattern: { Regex: CLIP_WORDS }, behavior: 'Removed', invert: true },
        byteLevelWords(false),
      ]),
    }),
    options: (_, __, unknown) => ({ ...BPE, end_of_word_suffix: '</w>', unk_token: unknown }),
    around: ['bos_token', 'eos_token'],
  },
  Qwen2: qwen2,
  Deberta: { ...roberta, tokens: brackets },
  DebertaV2: {
    model: 'Unigram',
    tokens: brackets,
    steps: (settings) => ({
      normalizer: sequence('normalizers', [
        ...(flag(settings, 'do_lower_case', false) ? [{ type: 'Lowercase' }] : []),
        replaced('\\s{2,}|[\\n\\r\\t]', ' '),
        { type: 'NFC' },
        { type: 'Strip', strip_left: false, strip_right: true },
      ]),
      pre_tokenizer: sequence('pretokenizers', [
        ...(flag(settings, 'split_by_punct', false) ? [{ type: 'Punctuation', behavior: 'Isolated' }] : []),
        metaspace(flag(settings, 'add_prefix_space', true) ? 'always' : 'first'),
      ]),
    }),
    options: ({ config }, { model }, unknown) => {
      const stated = config['unk_id']
      return unigram(unscored(model, unknown) ?? (typeof stated === 'number' ? stated : 1))
    },
    around: ['cls_token', 'sep_token'],
  },
  Albert: albert,
  // Without a constructor of their own these read the file.
  FNet: {
    model: 'Unigram',
    tokens: albert.tokens,
    steps: albert.steps,
    options: albert.options,
    keeps: true,
  },
  ConvBert: { ...bert, keeps: true },
  DPRContextEncoderFast: { ...bert, keeps: true },
  BigBird: {
    model: 'Unigram',
    tokens: {
      ...brackets,
      unk_token: '<unk>',
      bos_token: '<s>',
      eos_token: '</s>',
      pad_token: '<pad>',
      mask_token: masking('[MASK]'),
    },
    steps: (settings) => ({
      normalizer: sequence('normalizers', [
        { type: 'Strip', strip_left: false, strip_right: false },
        replaced(' {2,}', '▁'),
      ]),
      pre_tokenizer: metaspace(flag(settings, 'add_prefix_space', true) ? 'always' : 'never'),
    }),
    options: (_, { model }, unknown) => unigram(unscored(model, unknown) ?? 100),
    around: ['cls_token', 'sep_token'],
  },
  XLMRoberta: {
    model: 'Unigram',
    tokens: { ...roberta.tokens, mask_token: masking('<mask>') },
    steps: (settings, { charsmap }) => ({
      normalizer: one(charsmap),
      pre_tokenizer: piecesOfWords(settings),
    }),
    options: () => unigram(3),
    around: ['bos_token', 'eos_token'],
  },
  Camembert: {
    model: 'Unigram',
    tokens: { ...roberta.tokens, mask_token: masking('<mask>') },
    extra: (_, additional) => additional ?? ['<s>NOTUSED', '</s>NOTUSED', '<unk>NOTUSED'],
    steps: (settings, { charsmap }) => ({
      normalizer: one(charsmap),
      pre_tokenizer: piecesOfWords(settings),
    }),
    options: (_, { model }, unknown) =>
      unigram(
        Math.max(
          0,
          pieces(model).findIndex(([piece]) => piece === unknown),
        ),
      ),
    around: ['bos_token', 'eos_token'],
  },
  T5: {
    model: 'Unigram',
    tokens: { eos_token: '</s>', unk_token: '<unk>', pad_token: '<pad>' },
    extra: (settings, additional = []) =>
      additional.some((token) => String(token).includes('<extra_id_'))
        ? additional
        : [...additional, ...extraIds(settings)],
    steps: (_, { charsmap }) => ({
      normalizer: one(charsmap),
      pre_tokenizer: sequence('pretokenizers', [{ type: 'WhitespaceSplit' }, metaspace('always')]),
    }),
    options: () => unigram(2),
    around: [undefined, 'eos_token'],
  },
  Llama: {
    model: 'BPE',
    tokens: { unk_token: '<unk>', bos_token: '<s>', eos_token: '</s>' },
    steps: (settings) => {
      const first = flag(settings, 'legacy', false) ? 'always' : 'first'
      const scheme = flag(settings, 'add_prefix_space', true) ? first : 'never'
      return { normalizer: null, pre_tokenizer: metaspace(scheme, false) }
    },
    options: () => ({ ...BPE, fuse_unk: true, byte_fallback: true }),
  },
  Gemma: gemma,
  Siglip2: {
    ...gemma,
    steps: (settings, vocabulary) => {
      const { normalizer, pre_tokenizer } = gemma.steps(settings, vocabulary)
      return { normalizer: sequence('normalizers', [{ type: 'Lowercase' }, normalizer!]), pre_tokenizer }
    },
  },
}

/** Names that are another class. */
const SAME: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    'DistilBert Electra MobileBert SqueezeBert LayoutLM Lxmert'.split(' ').map((name) => [name, 'Bert']),
  ),
  ...Object.fromEntries('Bart Longformer LED Mvp'.split(' ').map((name) => [name, 'Roberta'])),
  DPRQuestionEncoder: 'DPRContextEncoder',
  DPRReader: 'DPRContextEncoder',
  DPRQuestionEncoderFast: 'DPRContextEncoderFast',
  DPRReaderFast: 'DPRContextEncoderFast',
}

/** Classes that do not use a `tokenizer.json`'s steps either, and are not built here, by their models. */
const OTHERS = {
  BPE:
    'Blenderbot CodeGen CodeLlama Cohere Esmc Herbert LayoutLMv3 Luke MarkupLM Nllb Nougat OpenAIGPT Qwen3_5 Reformer SeamlessM4T Tipsv2 ' +
    'Whisper',
  Unigram: 'Barthez Lasr LayoutXLM MBart MBart50 MLuke Pegasus RemBert Udop VideoPrism XGLM XLNet',
  WordPiece: 'Funnel LayoutLMv2 RoFormer Splinter',
}
const others = new Map(
  Object.entries(OTHERS).flatMap(([model, names]) => names.split(' ').map((name) => [name, model] as const)),
)

/** True of classes that build their own steps. */
export function buildsSteps(kind: string): boolean {
  return others.has(kind) || Object.hasOwn(CLASSES, SAME[kind] ?? kind)
}

/**
 * The class that builds its own steps for a file of this model; undefined for those that take the file as it is. They do where its model
 * is another than the class's, of which transformers makes nothing that could be meant, and where the class reads no `tokenizer.json` at all:
 * then somebody made it for other readers.
 *
 * @param label what errors call the model
 * @throws PipiloError `FORMAT_UNSUPPORTED` for one that is not built here
 */
export function classFor(kind: string, model: unknown, label: string): TokenizerClass | undefined {
  if (others.get(kind) === model) {
    throw new PipiloError(
      'FORMAT_UNSUPPORTED',
      `The tokenizer of ${label} is a ${kind}Tokenizer, which in transformers does not take the steps of its tokenizer.json.`,
      {
        input: label,
        hint: 'To have the tokenizer.json as it is, write "tokenizer_class": "PreTrainedTokenizerFast" into tokenizer_config.json.',
      },
    )
  }
  const own = CLASSES[SAME[kind] ?? kind]
  return own && (own.keeps || own.model === model) ? own : undefined
}

/** The entries of a Unigram model. */
const pieces = ({ vocab }: Part): readonly (readonly [string, number])[] =>
  Array.isArray(vocab) ? (vocab as readonly (readonly [string, number])[]) : []

/** The id of a piece whose score is 0. */
function unscored(model: Part, text: string): number | undefined {
  const at = pieces(model).findIndex(([piece, score]) => piece === text && score === 0)
  return at < 0 ? undefined : at
}

function without({ do_lower_case: _, ...config }: Part): Part {
  return config
}
