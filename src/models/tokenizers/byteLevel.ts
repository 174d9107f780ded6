// Makes a `tokenizer.json` from `vocab.json` and `merges.txt`: byte-level BPE.
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

/** How CLIP cuts a text into words. */
export const CLIP_WORDS = String.raw`<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`

/** How Qwen cuts a text into words. */
export const QWEN_WORDS = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`

interface Style {
  readonly normalizer: Part | null
  readonly pre_tokenizer: Part
  /** Ending of a word's last token. */
  readonly suffix: string
  readonly unknown: string | null
  /** Special tokens before and after a text. */
  readonly start: string | undefined
  readonly end: string | undefined
}

/**
 * A byte-level BPE tokenizer from `vocab.json` (ids by token) and `merges.txt` (pairs, the most frequent first), in the ways of
 * GPT-2, RoBERTa, CLIP and Qwen.
 */
export function byteLevel(
  vocab: Readonly<Record<string, number>>,
  merges: string,
  settings: Settings,
): TokenizerJson {
  const idOf = (token: string) => (Object.hasOwn(vocab, token) ? vocab[token] : undefined)
  const { normalizer, pre_tokenizer, suffix, unknown, start, end } = styleOf(settings)
  const roles = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token']
  const usual = ['<s>', '</s>', '<unk>', '<pad>', '<mask>', '<|startoftext|>', '<|endoftext|>']
  const special = [...roles.map((role) => specialToken(settings, role, '')), ...usual]
  return tokenizerJson({
    added_tokens: addedTokens(settings, special, idOf),
    normalizer,
    pre_tokenizer,
    post_processor: around(start, end, idOf),
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: unknown,
      continuing_subword_prefix: '',
      end_of_word_suffix: suffix,
      fuse_unk: false,
      byte_fallback: false,
      vocab,
      merges: pairs(merges),
    },
  })
}

function styleOf(settings: Settings): Style {
  const add_prefix_space = flag(settings, 'add_prefix_space', false)
  if (settings.kind === 'CLIP') {
    const end = specialToken(settings, 'eos_token', '<|endoftext|>')
    return {
      normalizer: sequence('normalizers', [
        { type: 'NFC' },
        { type: 'Replace', pattern: { Regex: '\\s+' }, content: ' ' },
        { type: 'Lowercase' },
      ]),
      pre_tokenizer: sequence('pretokenizers', [
        { type: 'Split', pattern: { Regex: CLIP_WORDS }, behavior: 'Removed', invert: true },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      ]),
      suffix: '</w>',
      unknown: specialToken(settings, 'unk_token', end),
      start: specialToken(settings, 'bos_token', '<|startoftext|>'),
      end,
    }
  }
  if (settings.kind.startsWith('Qwen')) {
    return {
      normalizer: { type: 'NFC' },
      pre_tokenizer: sequence('pretokenizers', [
        { type: 'Split', pattern: { Regex: QWEN_WORDS }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space, trim_offsets: true, use_regex: false },
      ]),
      suffix: '',
      unknown: null,
      ...asked(settings, undefined, '<|endoftext|>'),
    }
  }
  if (settings.kind === 'GPT2') {
    return {
      normalizer: null,
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space, trim_offsets: true, use_regex: true },
      suffix: '',
      unknown: null,
      ...asked(settings, '<|endoftext|>', '<|endoftext|>'),
    }
  }
  return {
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space, trim_offsets: true, use_regex: true },
    suffix: '',
    unknown: null,
    start: specialToken(settings, 'cls_token', '<s>'),
    end: specialToken(settings, 'sep_token', '</s>'),
  }
}

/** Special tokens around a text where the settings ask for them. */
function asked(settings: Settings, start: string | undefined, end: string): Pick<Style, 'start' | 'end'> {
  const token = (role: string, usual: string | undefined) =>
    specialToken(settings, role, usual ?? '') || undefined
  return {
    start: flag(settings, 'add_bos_token', false) ? token('bos_token', start) : undefined,
    end: flag(settings, 'add_eos_token', false) ? token('eos_token', end) : undefined,
  }
}

function sequence(name: string, parts: readonly Part[]): Part {
  return { type: 'Sequence', [name]: parts }
}

/** The pairs of `merges.txt`: two tokens a line, below a line with the version. */
function pairs(merges: string): [string, string][] {
  return merges
    .split(/\r?\n/)
    .filter((line) => line !== '' && !line.startsWith('#version'))
    .map((line) => {
      const space = line.indexOf(' ')
      return [line.slice(0, space), line.slice(space + 1)]
    })
}
