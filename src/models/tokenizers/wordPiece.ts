// Makes a `tokenizer.json` from BERT's `vocab.txt`.
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

/**
 * The tokenizer of BERT and its kin from `vocab.txt`: one token a line, whose number is its id.
 *
 * @see https://github.com/google-research/bert#tokenization
 */
export function wordPiece(vocabulary: string, settings: Settings): TokenizerJson {
  // A vocabulary may have white space for a token, so only the ends of lines are cut.
  const lines = vocabulary.replace(/\r?\n$/, '').split(/\r?\n/)
  const vocab = new Map(lines.map((token, id) => [token, id]))
  const idOf = (token: string) => vocab.get(token)
  const isMpnet = !vocab.has('[CLS]') && vocab.has('<s>')
  const token = (role: string, bert: string, mpnet: string) =>
    specialToken(settings, role, isMpnet ? mpnet : bert)
  const unknown = token('unk_token', '[UNK]', '[UNK]')
  const [start, end] = [token('cls_token', '[CLS]', '<s>'), token('sep_token', '[SEP]', '</s>')]
  const special = [
    unknown,
    start,
    end,
    token('pad_token', '[PAD]', '<pad>'),
    token('mask_token', '[MASK]', '<mask>'),
  ]
  return tokenizerJson({
    added_tokens: addedTokens(settings, special, idOf),
    ...bertSteps(settings),
    post_processor: around(start, end, idOf),
    model: {
      type: 'WordPiece',
      unk_token: unknown,
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(vocab),
    },
  })
}

/** BERT's normalizer and pre-tokenizer. */
export function bertSteps(settings: Settings): { normalizer: Part; pre_tokenizer: Part } {
  const accents = settings.config['strip_accents']
  return {
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: flag(settings, 'tokenize_chinese_chars', true),
      strip_accents: typeof accents === 'boolean' ? accents : null,
      lowercase: flag(settings, 'do_lower_case', true),
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
  }
}
