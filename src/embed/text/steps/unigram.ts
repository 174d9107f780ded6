// Unigram: a text as the pieces whose scores have the largest sum.
import type { Part } from './part.ts'
import { Trie } from './trie.ts'
import { byteIds, type Model, noToken, remembering } from './vocabulary.ts'

/** An unknown character scores as much less than the worst piece. */
const PENALTY = 10

type Piece = readonly [text: string, score: number]

interface Pieces {
  readonly list: readonly Piece[]
  readonly vocabulary: Map<string, number>
  readonly trie: Trie
}

/** The pieces of a model; those before `from` are in no text. */
function piecesOf(part: Part, from = 0): Pieces {
  const list = part.list('vocab') as readonly Piece[]
  const vocabulary = new Map<string, number>()
  let size = 0
  for (const [id, entry] of list.entries()) {
    const [text, score] = Array.isArray(entry) ? (entry as readonly unknown[]) : []
    if (typeof text !== 'string' || typeof score !== 'number' || entry.length !== 2) {
      throw part.invalid(`has no piece and score for the id ${id}`)
    }
    vocabulary.set(text, id)
    size += text.length
  }
  if (list.length === 0) throw part.invalid('has an empty vocabulary')
  const trie = new Trie(size)
  for (let id = from; id < list.length; id++) trie.add(list[id]![0], id)
  return { list, vocabulary, trie }
}

function unknownOf(part: Part, list: readonly Piece[]): number | undefined {
  if (part.get('unk_id') == null) return undefined
  const id = part.count('unk_id')
  if (id >= list.length)
    throw part.invalid(`has the id ${id} for what is unknown, and only ${list.length} pieces`)
  return id
}

/**
 * The pieces of the best sum, as Python's tokenizers find them.
 *
 * @see Kudo, Subword regularization, 2018
 */
export function unigram(part: Part): Model {
  part.only('vocab', 'unk_id', 'byte_fallback')
  const { list, vocabulary, trie } = piecesOf(part)
  const unknown = unknownOf(part, list)
  const bytes = part.flag('byte_fallback', false) ? byteIds(vocabulary) : undefined
  const encoder = new TextEncoder()
  let worst = Number.POSITIVE_INFINITY
  for (const [, score] of list) if (score < worst) worst = score
  const penalty = worst - PENALTY

  const add = (text: string, ids: number[]): void => {
    const id = vocabulary.get(text)
    if (id !== undefined) {
      ids.push(id)
      return
    }
    const own = bytes && Array.from(encoder.encode(text), (byte) => bytes[byte])
    if (own?.every((byte) => byte !== undefined)) ids.push(...(own as number[]))
    else if (unknown === undefined) throw noToken(text)
    else ids.push(unknown)
  }
  return {
    vocabulary,
    size: list.length,
    add: remembering((text, ids) => {
      const path = bestPath(text, trie, list, penalty, unknown)
      // Unknown characters in a row are one piece.
      let start = 0
      for (let i = 0; i < path.length; i++) {
        const { end, id } = path[i]!
        if (id === unknown && path[i + 1]?.id === unknown) continue
        add(text.slice(start, end), ids)
        start = end
      }
    }),
  }
}

interface Step {
  readonly end: number
  readonly id: number
}

function bestPath(
  text: string,
  trie: Trie,
  list: readonly Piece[],
  penalty: number,
  unknown: number | undefined,
): Step[] {
  const { length } = text
  const best = new Float64Array(length + 1)
  const starts = new Int32Array(length + 1).fill(-1)
  const ids = new Int32Array(length + 1)
  for (let start = 0; start < length; ) {
    const width = text.codePointAt(start)! > 0xffff ? 2 : 1
    let single = false
    for (let node = 0, end = start; end < length; ) {
      node = trie.child(node, text.charCodeAt(end++))
      if (node === 0) break
      const id = trie.value(node)
      if (id < 0) continue
      const sum = list[id]![1] + best[start]!
      if (starts[end] === -1 || sum > best[end]!) {
        best[end] = sum
        starts[end] = start
        ids[end] = id
      }
      if (end - start === width) single = true
    }
    const end = start + width
    if (!single && (starts[end] === -1 || penalty + best[start]! > best[end]!)) {
      if (unknown === undefined) throw noToken(text.slice(start, end))
      best[end] = penalty + best[start]!
      starts[end] = start
      ids[end] = unknown
    }
    start = end
  }
  const path: Step[] = []
  for (let end = length; end > 0; end = starts[end]!) path.push({ end, id: ids[end]! })
  return path.reverse()
}

/**
 * The pieces of the best sum exactly as TensorFlow.js' Universal Sentence Encoder finds them: of equal sums the one whose last piece is
 * shorter wins, a sum of 0 gives way to any other, and what begins no piece is unknown at no cost. The first `reserved` pieces (Pipilo's
 * own key: its files with it were made for this function) become of no text.
 *
 * @see https://github.com/tensorflow/tfjs-models/blob/master/universal-sentence-encoder/src/tokenizer/index.ts
 */
export function lattice(part: Part): Model {
  part.only('vocab', 'unk_id', 'byte_fallback', 'reserved')
  if (part.flag('byte_fallback', false)) throw part.unsupported('falls back to bytes beside reserved pieces')
  const { list, vocabulary, trie } = piecesOf(part, part.count('reserved'))
  const unknown = unknownOf(part, list)
  if (unknown === undefined) throw part.invalid('has no piece for what is unknown')
  return {
    vocabulary,
    size: list.length,
    add: (text, result) => {
      const characters = Array.from(text)
      const best = new Float64Array(characters.length + 1)
      const ids = new Int32Array(characters.length + 1).fill(unknown)
      const lengths = new Int32Array(characters.length + 1).fill(1)
      const offer = (start: number, end: number, id: number, score: number) => {
        const sum = best[start]! + score
        if (best[end] !== 0 && sum < best[end]!) return
        best[end] = sum
        ids[end] = id
        lengths[end] = end - start
      }
      for (let start = 0; start < characters.length; start++) {
        let node = 0
        let found = false
        for (let end = start; end < characters.length; end++) {
          node = below(trie, node, characters[end]!)
          if (node === 0) break
          const id = trie.value(node)
          if (id < 0) continue
          offer(start, end + 1, id, list[id]![1])
          found = true
        }
        if (!found) offer(start, start + 1, unknown, 0)
      }
      const own: number[] = []
      for (let end = characters.length; end > 0; end -= lengths[end]!) own.push(ids[end]!)
      // Unknown characters in a row are one piece.
      for (const [i, id] of own.reverse().entries())
        if (id !== unknown || own[i - 1] !== unknown) result.push(id)
    },
  }
}

/** The node below a node for a character. */
function below(trie: Trie, node: number, character: string): number {
  const first = trie.child(node, character.charCodeAt(0))
  return character.length === 1 || first === 0 ? first : trie.child(first, character.charCodeAt(1))
}
