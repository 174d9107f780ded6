// Makes a `tokenizer.json` for TensorFlow.js' Universal Sentence Encoder.
import { PipiloError } from '../../base/index.ts'
import { type TokenizerJson, tokenizerJson } from './parts.ts'

/** The id that pads: the start of a sentence, which no text becomes. */
export const PADDING = 1

/** Entries at the start that no text becomes: the unknown token, control symbols, and some for users. */
const RESERVED = 6

/**
 * The Unigram tokenizer of TensorFlow.js' Universal Sentence Encoder, from the pieces and scores in its `vocab.json`:
 * NFKC, `▁` for each space and before the text.
 *
 * The way it finds the best pieces differs from SentencePiece's where scores are equal or 0, which `reserved` tells
 * Pipilo's reader; others find a Unigram model there.
 *
 * @param label what errors call the file
 * @see https://github.com/tensorflow/tfjs-models/tree/master/universal-sentence-encoder/src/tokenizer
 * @throws PipiloError `FORMAT_INVALID`
 */
export function unigram(entries: readonly unknown[], label: string): TokenizerJson {
  const vocab = entries.map((entry): [string, number] => {
    const [piece, score] = Array.isArray(entry) ? (entry as unknown[]) : []
    // Seven entries of the published vocabulary have no score, which counts there as 0.
    if (typeof piece === 'string' && piece !== '' && (score === null || typeof score === 'number')) {
      return [piece, score ?? 0]
    }
    throw new PipiloError('FORMAT_INVALID', `${label} is no list of pieces and their scores.`, {
      input: label,
    })
  })
  const padding = vocab[PADDING]
  if (vocab.length <= RESERVED || !padding) {
    throw new PipiloError('FORMAT_INVALID', `${label} has ${vocab.length} pieces.`, { input: label })
  }
  const parts = tokenizerJson({
    added_tokens: [],
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'NFKC' },
        { type: 'Prepend', prepend: '▁' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
    pre_tokenizer: null,
    post_processor: null,
    model: { type: 'Unigram', unk_id: 0, vocab, byte_fallback: false, reserved: RESERVED },
  })
  const pad = { pad_id: PADDING, pad_type_id: 0, pad_token: padding[0] }
  return {
    ...parts,
    padding: { strategy: 'BatchLongest', direction: 'Right', pad_to_multiple_of: null, ...pad },
  }
}
