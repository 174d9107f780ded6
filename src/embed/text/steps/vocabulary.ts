// The vocabulary of a model, checked.
import { PipiloError } from '../../../base/index.ts'
import type { Part } from './part.ts'

/** Turns words into ids of a vocabulary. */
export interface Model {
  readonly vocabulary: ReadonlyMap<string, number>
  /** Entries of the vocabulary: added tokens go on counting from it. */
  readonly size: number
  /**
   * Adds a word's ids to `ids`.
   * @throws PipiloError `TEXT_INVALID` for what the vocabulary has no word for, not even an unknown one
   */
  add(word: string, ids: number[]): void
}

/** Words whose ids are kept, so that they need not be looked for again. */
const KEPT = 20_000
/** Longest word that is kept. */
const SHORT = 64

/**
 * A vocabulary that is an object of tokens and ids.
 *
 * @throws PipiloError `FORMAT_INVALID` for one that is empty, or has two tokens with one id
 */
export function vocabularyOf(part: Part): Map<string, number> {
  const value = part.get('vocab')
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw part.invalid('has no vocabulary of tokens and ids')
  }
  const vocabulary = new Map<string, number>()
  for (const token in value) {
    const id = (value as Record<string, unknown>)[token]
    if (!isId(id)) throw part.invalid(`gives '${token}' no whole number for its id`)
    vocabulary.set(token, id)
  }
  if (vocabulary.size === 0) throw part.invalid('has an empty vocabulary')
  if (new Set(vocabulary.values()).size < vocabulary.size) {
    throw part.invalid('gives two tokens the same id')
  }
  return vocabulary
}

/** The ids of the tokens `<0x00>` to `<0xFF>`. */
export function byteIds(vocabulary: ReadonlyMap<string, number>): (number | undefined)[] {
  return Array.from({ length: 256 }, (_, byte) =>
    vocabulary.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
  )
}

/** True for what the reference takes for an id. */
export function isId(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 32
}

/** The id of the token for unknown words, which the vocabulary has to hold. */
export function unknownId(part: Part, vocabulary: ReadonlyMap<string, number>, token: string): number {
  const id = vocabulary.get(token)
  if (id === undefined)
    throw part.invalid(`has '${token}' for unknown words, which its vocabulary does not hold`)
  return id
}

/** The error for a text with something in it that a vocabulary knows no token for. */
export function noToken(word: string): PipiloError {
  return new PipiloError(
    'TEXT_INVALID',
    `The tokenizer has no token for '${word.slice(0, 40)}', not even an unknown one.`,
  )
}

/** The ids of each word, worked out once for words that come often. */
export function remembering(
  work: (word: string, ids: number[]) => void,
): (word: string, ids: number[]) => void {
  const kept = new Map<string, readonly number[]>()
  return (word, ids) => {
    let own = kept.get(word)
    if (own === undefined) {
      const fresh: number[] = []
      work(word, fresh)
      own = fresh
      if (word.length <= SHORT) {
        if (kept.size >= KEPT) kept.clear()
        kept.set(word, own)
      }
    }
    for (const id of own) ids.push(id)
  }
}
