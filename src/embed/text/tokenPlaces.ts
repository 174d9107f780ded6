// Tokens of a text as words, and the places in the text that they come from.
import type { TextTokenizer } from './tokenizer.ts'

/** A token of a text. */
export interface PlacedToken {
  /** As the vocabulary writes it. */
  readonly text: string
  /** It is no part of the text: it stands before or after every text. */
  readonly special: boolean
  /** UTF-16 units of the text from `start` to `end`, exclusive; missing where that is not certain. */
  readonly start?: number
  readonly end?: number
}

/**
 * The tokens that a text was encoded to, each with its place.
 *
 * @example
 * ```ts
 * placedTokens(tokenizer, 'Towhees', [101, 11214, …, 102])   // [CLS] special, tow 0 to 3, ##hee 3 to 6, …
 * ```
 *
 * @remarks
 * Tokenizers change a text before they take it apart (case, accents, spaces), and keep no places: a token has one where its letters, without
 * regard to case and accents, are the next ones of its word.
 */
export function placedTokens(tokenizer: TextTokenizer, text: string, ids: readonly number[]): PlacedToken[] {
  const first = tokenizer.prefix.length
  const last = ids.length - tokenizer.suffix.length
  const places = placesOf(tokenizer, text, ids.slice(first, last))
  return ids.map((id, i) => {
    const special = i < first || i >= last
    return { text: tokenizer.token(id), special, ...(special ? {} : places[i - first]) }
  })
}

/** A place, or undefined where it is not known. */
type Place = { readonly start: number; readonly end: number } | undefined

function placesOf(tokenizer: TextTokenizer, text: string, content: readonly number[]): Place[] {
  const places: Place[] = []
  const all = folded(text)
  for (const { start, end, ids } of partsOf(tokenizer, text, content)) {
    const letters = all.slice(start, end)
    let at = 0
    for (const id of ids) {
      const piece = folded(bare(tokenizer.token(id)))
      const found = piece === '' || at < 0 ? -1 : letters.indexOf(piece, at)
      const isNext = found >= 0 && !/[\p{L}\p{N}]/u.test(letters.slice(at, found))
      places.push(isNext ? { start: start + found, end: start + found + piece.length } : undefined)
      // Behind a piece that is not found nothing of this part is certain.
      at = isNext ? found + piece.length : -1
    }
  }
  return places
}

/** A stretch of a text, and its tokens. */
interface Part {
  readonly start: number
  readonly end: number
  readonly ids: readonly number[]
}

/** Parts of a text between its cuts with their tokens; the whole text, where its parts have other tokens than it has. */
function partsOf(tokenizer: TextTokenizer, text: string, content: readonly number[]): Part[] {
  const whole = [{ start: 0, end: text.length, ids: content }]
  const parts: Part[] = []
  let count = 0
  const ends = tokenizer.divisible ? [...tokenizer.cuts(text), text.length] : []
  for (const [i, end] of ends.entries()) {
    if (count >= content.length) break
    const start = i === 0 ? 0 : ends[i - 1]!
    const ids = tokenizer.content(text.slice(start, end)).slice(0, content.length - count)
    if (ids.some((id, k) => id !== content[count + k])) return whole
    parts.push({ start, end, ids })
    count += ids.length
  }
  return count === content.length ? parts : whole
}

/** A token without the marks of word pieces: BERT's `##`, SentencePiece's `▁`, GPT-2's `Ġ`, CLIP's `</w>`. */
const bare = (token: string): string => token.replace(/^(?:##|[▁Ġ]+)/u, '').replace(/<\/w>$/, '')

/** Letters without case and accents, each as long as before. */
function folded(text: string): string {
  return Array.from(text, (letter) => {
    const plain = letter.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()
    return plain.length === letter.length ? plain : letter
  }).join('')
}
