// WordPiece and WordLevel: words by the longest pieces, and whole words.
import type { Part } from './part.ts'
import { isInside } from './patterns.ts'
import { type Model, remembering, unknownId, vocabularyOf } from './vocabulary.ts'

/**
 * Words as the longest pieces that the vocabulary holds, from left to right.
 *
 * @see Schuster and Nakajima, Japanese and Korean voice search, 2012
 */
export function wordPiece(part: Part): Model {
  part.only('vocab', 'unk_token', 'continuing_subword_prefix', 'max_input_chars_per_word')
  const vocabulary = vocabularyOf(part)
  const unknown = unknownId(part, vocabulary, part.text('unk_token'))
  const most = part.count('max_input_chars_per_word')
  const prefix = part.text('continuing_subword_prefix')
  /** Pieces inside a word, without their prefix. */
  const inner = new Map<string, number>()
  let longest = 0
  for (const [token, id] of vocabulary) {
    if (token.startsWith(prefix)) inner.set(token.slice(prefix.length), id)
    longest = Math.max(longest, token.length)
  }
  const pieces = (word: string, ids: number[]): boolean => {
    for (let start = 0; start < word.length; ) {
      const known = start === 0 ? vocabulary : inner
      let end = Math.min(word.length, start + longest)
      let id: number | undefined
      for (; end > start; end--) {
        if (isInside(word, end)) continue
        id = known.get(word.slice(start, end))
        if (id !== undefined) break
      }
      if (id === undefined) return false
      ids.push(id)
      start = end
    }
    return true
  }
  return {
    vocabulary,
    size: vocabulary.size,
    add: remembering((word, ids) => {
      // Characters are at most as many as UTF-16 units, and at least half as many.
      const long = word.length > most && (word.length > 2 * most || Array.from(word).length > most)
      if (long || !pieces(word, ids)) ids.splice(0, ids.length, unknown)
    }),
  }
}

/** Whole words; the others are unknown. */
export function wordLevel(part: Part): Model {
  part.only('vocab', 'unk_token')
  const vocabulary = vocabularyOf(part)
  const unknown = unknownId(part, vocabulary, part.text('unk_token'))
  return {
    vocabulary,
    size: vocabulary.size,
    add: (word, ids) => void ids.push(vocabulary.get(word) ?? unknown),
  }
}
