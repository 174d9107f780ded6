// A `tokenizer.json` as transformers uses it beside a `tokenizer_config.json` that says something else.
import { isObject } from '../files.ts'
import { addedTokens, type Part, type Settings, specialToken } from './parts.ts'
import { albertNormalizers } from './sentencePiece.ts'
import { bertSteps } from './wordPiece.ts'

/** Classes that build BERT's steps from their settings, whatever steps the file has. */
const BERT = [
  'Bert',
  'DistilBert',
  'Electra',
  'ConvBert',
  'MobileBert',
  'SqueezeBert',
  'Retribert',
  'LayoutLM',
  'Lxmert',
  'MPNet',
]
/** Classes that put a space before a text if their settings say so. */
const BYTE_LEVEL = ['Roberta', 'GPT2', 'Bart', 'Longformer', 'LED', 'Mvp']

/**
 * The tokenizer with the settings that transformers 5 hears: `do_lower_case`, `strip_accents`, `tokenize_chinese_chars`, `keep_accents` and
 * `add_prefix_space` where the class listens to them, `truncation_side` and `added_tokens_decoder` in all. The same object where nothing changes.
 *
 * @see https://github.com/huggingface/transformers/blob/main/src/transformers/models/bert/tokenization_bert.py
 */
export function heard(file: Part, settings: Settings): Part {
  const changed = [steps(file, settings), truncation(file, settings), added(file, settings)].filter(
    (part) => part !== undefined,
  )
  const differs = changed.some((part) => Object.entries(part).some(([key, value]) => !same(value, file[key])))
  return differs ? Object.assign({}, file, ...changed) : file
}

/** True if {@link heard} may change a tokenizer of these settings: then its file has to be read. */
export function says({ kind, config }: Settings): boolean {
  const heeded = ['truncation_side', 'added_tokens_decoder']
  return (
    [...BERT, ...BYTE_LEVEL, 'Albert'].includes(kind) || heeded.some((name) => config[name] !== undefined)
  )
}

function steps(file: Part, settings: Settings): Part | undefined {
  const { kind, config } = settings
  const { model, pre_tokenizer: words } = file
  if (!isObject(model)) return undefined
  if (BERT.includes(kind) && model['type'] === 'WordPiece') {
    const unknown = specialToken(settings, 'unk_token', '[UNK]')
    return { ...bertSteps(settings), model: { ...model, ...bertModel(unknown) } }
  }
  if (BYTE_LEVEL.includes(kind) && isObject(words) && words['type'] === 'ByteLevel') {
    return { pre_tokenizer: { ...words, add_prefix_space: config['add_prefix_space'] === true } }
  }
  if (kind === 'Albert' && model['type'] === 'Unigram') {
    const charsmap = flat(file['normalizer']).filter((step) => step['type'] === 'Precompiled')
    const normalizers = [...albertNormalizers(settings), ...charsmap]
    return { normalizer: { type: 'Sequence', normalizers } }
  }
  return undefined
}

/** Tokens that the settings add to those of the file. */
function added(file: Part, settings: Settings): Part | undefined {
  const own = Array.isArray(file['added_tokens']) ? file['added_tokens'].filter(isObject) : []
  const known = new Set(own.map(({ content }) => content))
  const more = addedTokens(settings, [], () => undefined).filter(({ content }) => !known.has(content))
  return more.length > 0 ? { added_tokens: [...own, ...more] } : undefined
}

const bertModel = (unknown: string): Part => ({
  unk_token: unknown,
  continuing_subword_prefix: '##',
  max_input_chars_per_word: 100,
})

function truncation(file: Part, { config }: Settings): Part | undefined {
  const side = config['truncation_side']
  if (side !== 'left' && side !== 'right') return undefined
  const stated = isObject(file['truncation']) ? file['truncation'] : undefined
  if ((stated?.['direction'] === 'Left') === (side === 'left')) return undefined
  const direction = side === 'left' ? 'Left' : 'Right'
  return { truncation: { max_length: 512, strategy: 'LongestFirst', stride: 0, ...stated, direction } }
}

/** The steps of a normalizer. */
function flat(step: unknown): Part[] {
  if (!isObject(step)) return []
  return Array.isArray(step['normalizers']) ? step['normalizers'].flatMap(flat) : [step]
}

/** True for the same values, in whatever order an object has its keys. The vocabulary is taken for the same. */
function same(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => same(item, b[i]))
  if (!isObject(a) || !isObject(b)) return false
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => same(a[key], b[key]))
}
