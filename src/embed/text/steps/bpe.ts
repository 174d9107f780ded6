// Byte pair encoding: words by merging neighbours, the pair first that was the most frequent.
import { LETTERS } from './byteLetters.ts'
import type { Part } from './part.ts'
import { byteIds, type Model, noToken, remembering, vocabularyOf } from './vocabulary.ts'

/** Words of more symbols than this find their next pair in a heap. */
const SHORT = 32

/**
 * Byte pair encoding.
 *
 * @see Sennrich, Haddow and Birch, Neural machine translation of rare words with subword units, 2016
 */
export function bpe(part: Part): Model {
  part.only(
    'vocab',
    'merges',
    'dropout',
    'unk_token',
    'continuing_subword_prefix',
    'end_of_word_suffix',
    'fuse_unk',
    'byte_fallback',
    'ignore_merges',
  )
  const dropout = part.get('dropout') ?? 0
  if (dropout !== 0) throw part.unsupported(`has a dropout of ${String(dropout)}: its ids would be random`)
  const vocabulary = vocabularyOf(part)
  const prefix = part.text('continuing_subword_prefix', '')
  const suffix = part.text('end_of_word_suffix', '')
  const unknown = part.get('unk_token') == null ? undefined : part.text('unk_token')
  const unknownId = unknown === undefined ? undefined : vocabulary.get(unknown)
  if (unknown !== undefined && unknownId === undefined && !hasBytes(vocabulary)) {
    throw part.invalid(`has '${unknown}' for what is unknown, which its vocabulary does not hold`)
  }
  const fuse = part.flag('fuse_unk', false)
  const whole = part.flag('ignore_merges', false)
  const bytes = part.flag('byte_fallback', false) ? byteIds(vocabulary) : undefined
  const merge = merger(part, vocabulary, prefix)
  const encoder = new TextEncoder()

  const symbols = (word: string): number[] => {
    const ids: number[] = []
    // An unknown symbol waits: the next one may be one with it.
    let waiting = false
    let start = 0
    for (const character of word) {
      const first = start === 0
      start += character.length
      const symbol = `${first ? '' : prefix}${character}${start === word.length ? suffix : ''}`
      const id = vocabulary.get(symbol)
      if (id !== undefined) {
        if (waiting) ids.push(unknownId!)
        waiting = false
        ids.push(id)
        continue
      }
      if (bytes) {
        const own = Array.from(encoder.encode(symbol), (byte) => bytes[byte])
        if (own.every((byte) => byte !== undefined)) {
          ids.push(...(own as number[]))
          continue
        }
      }
      // Without a token for unknown symbols the reference drops them.
      if (unknown === undefined) continue
      if (unknownId === undefined) throw noToken(character)
      if (waiting && !fuse) ids.push(unknownId)
      waiting = true
    }
    if (waiting) ids.push(unknownId!)
    return ids
  }
  return {
    vocabulary,
    size: vocabulary.size,
    add: remembering((word, ids) => {
      const id = whole ? vocabulary.get(word) : undefined
      if (id !== undefined) ids.push(id)
      else for (const symbol of merge(symbols(word))) ids.push(symbol)
    }),
  }
}

/** True for a vocabulary that has a token for each byte, so that nothing is unknown to it. */
function hasBytes(vocabulary: ReadonlyMap<string, number>): boolean {
  return LETTERS.every((letter) => vocabulary.has(letter))
}

/** Merges the symbols of a word. */
function merger(
  part: Part,
  vocabulary: ReadonlyMap<string, number>,
  prefix: string,
): (ids: number[]) => number[] {
  const idOf = (token: string): number => {
    const id = vocabulary.get(token)
    if (id === undefined) throw part.invalid(`merges '${token}', which its vocabulary does not hold`)
    return id
  }
  /** The rank of a pair's merge by both ids. */
  const ranks = new Map<number, number>()
  const merged: number[] = []
  const width = largest(vocabulary) + 1
  for (const entry of part.list('merges')) {
    const pair = typeof entry === 'string' ? entry.split(' ') : entry
    if (typeof entry === 'string' && entry.startsWith('#version')) continue
    if (!Array.isArray(pair) || pair.length !== 2) throw part.invalid('has a merge that is not of two tokens')
    const [left, right] = pair as unknown[]
    if (typeof left !== 'string' || typeof right !== 'string') {
      throw part.invalid('has a merge that is not of two tokens')
    }
    if (right.length < prefix.length) throw part.invalid(`merges '${right}', which is no inner symbol`)
    ranks.set(idOf(left) * width + idOf(right), merged.length)
    merged.push(idOf(left + right.slice(prefix.length)))
  }
  const rankOf = (left: number, right: number): number => ranks.get(left * width + right) ?? -1

  const mergeShort = (ids: number[]): number[] => {
    const pairs = ids.map((id, i) => (i + 1 < ids.length ? rankOf(id, ids[i + 1]!) : -1))
    for (;;) {
      let at = -1
      for (let i = 0; i < pairs.length; i++) {
        if (pairs[i]! >= 0 && (at < 0 || pairs[i]! < pairs[at]!)) at = i
      }
      if (at < 0) return ids
      ids[at] = merged[pairs[at]!]!
      ids.splice(at + 1, 1)
      pairs.splice(at + 1, 1)
      pairs[at] = at + 1 < ids.length ? rankOf(ids[at]!, ids[at + 1]!) : -1
      if (at > 0) pairs[at - 1] = rankOf(ids[at - 1]!, ids[at]!)
    }
  }

  const mergeLong = (ids: number[]): number[] => {
    const count = ids.length
    const next = Int32Array.from(ids, (_, i) => (i + 1 < count ? i + 1 : -1))
    const previous = Int32Array.from(ids, (_, i) => i - 1)
    const gone = new Uint8Array(count)
    const heap = new Heap()
    // Rank and place in one number: the smallest is the next to merge.
    const offer = (at: number): void => {
      const rank = at >= 0 && next[at]! >= 0 ? rankOf(ids[at]!, ids[next[at]!]!) : -1
      if (rank >= 0) heap.push(rank * count + at)
    }
    for (let i = 0; i < count; i++) offer(i)
    for (let top = heap.pop(); top !== undefined; top = heap.pop()) {
      const at = top % count
      const rank = (top - at) / count
      const right = next[at]!
      if (gone[at] || right < 0 || rankOf(ids[at]!, ids[right]!) !== rank) continue
      ids[at] = merged[rank]!
      gone[right] = 1
      next[at] = next[right]!
      if (next[right]! >= 0) previous[next[right]!] = at
      offer(previous[at]!)
      offer(at)
    }
    return ids.filter((_, i) => !gone[i])
  }
  return (ids) => (ids.length <= SHORT ? mergeShort(ids) : mergeLong(ids))
}

function largest(vocabulary: ReadonlyMap<string, number>): number {
  let most = 0
  for (const id of vocabulary.values()) if (id > most) most = id
  return most
}

/** Numbers, of which the smallest comes first. */
class Heap {
  readonly #items: number[] = []

  push(item: number): void {
    const items = this.#items
    let at = items.length
    for (let above = (at - 1) >> 1; at > 0 && items[above]! > item; above = (at - 1) >> 1) {
      items[at] = items[above]!
      at = above
    }
    items[at] = item
  }

  pop(): number | undefined {
    const items = this.#items
    const top = items[0]
    const last = items.pop()
    if (last === undefined || items.length === 0) return top
    let at = 0
    for (let below = 1; below < items.length; below = 2 * at + 1) {
      if (below + 1 < items.length && items[below + 1]! < items[below]!) below++
      if (items[below]! >= last) break
      items[at] = items[below]!
      at = below
    }
    items[at] = last
    return top
  }
}
