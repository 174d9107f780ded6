// Cuts long texts into overlapping chunks that fit the model.
import { breathe, PipiloError } from '../../base/index.ts'
import type { ChunkOptions } from '../types.ts'
import type { TextTokenizer } from './tokenizer.ts'

/** A part of a text: UTF-16 units from `start` to `end`, exclusive, and its ids with special tokens and prompt. */
export interface Chunk {
  readonly start: number
  readonly end: number
  readonly ids: number[]
}

/** {@link ChunkOptions} with its defaults, checked against the tokenizer. */
export interface ChunkPlan {
  /** Tokens of the text itself in a chunk: the limit less the special tokens. */
  readonly room: number
  readonly overlap: number
}

/**
 * Defaults and limits of `chunk`.
 * @param limit tokens that the model reads
 * @throws `OPTION_INVALID`
 */
export function planChunks(options: ChunkOptions, tokenizer: TextTokenizer, limit: number): ChunkPlan {
  const tokens = options.tokens ?? limit
  const room = tokens - tokenizer.specials
  if (!Number.isInteger(tokens) || tokens > limit || room < 1) {
    throw new PipiloError('OPTION_INVALID', `chunk.tokens is ${tokens}.`, {
      hint: `Choose a whole number from ${tokenizer.specials + 1} to ${limit}, the model's limit.`,
    })
  }
  const overlap = options.overlap ?? Math.min(32, Math.floor(room / 2))
  if (!Number.isInteger(overlap) || overlap < 0 || overlap >= room) {
    throw new PipiloError('OPTION_INVALID', `chunk.overlap is ${overlap}.`, {
      hint: `Choose a whole number from 0 to ${room - 1}.`,
    })
  }
  return { room, overlap }
}

/** A stretch between two cuts, and how many tokens it has. */
interface Word {
  readonly start: number
  readonly end: number
  readonly tokens: number
}

/**
 * Splits a text into overlapping chunks at places where words end, so that a chunk's ids are those of its slice of the
 * text, and the slices cover the text. Only a word longer than a chunk is cut inside.
 */
export async function chunkText(
  text: string,
  tokenizer: TextTokenizer,
  { room, overlap }: ChunkPlan,
  prompt = '',
): Promise<Chunk[]> {
  const left = room - tokenizer.content(prompt).length
  if (left < 1) {
    throw new PipiloError('OPTION_INVALID', `The prompt '${prompt}' fills a whole chunk of ${room} tokens.`, {
      hint: 'Shorten the prompt or raise chunk.tokens.',
    })
  }
  const words = await measureWords(text, tokenizer, left)
  const chunks: Chunk[] = []
  // The first word that no chunk holds yet.
  let fresh = 0
  for (let first = 0; first < words.length || chunks.length === 0; ) {
    let last = first
    for (let sum = 0; last < words.length && sum + words[last]!.tokens <= left; last++)
      sum += words[last]!.tokens
    const slice = (): [start: number, end: number] => [
      words[first]?.start ?? 0,
      words[last - 1]?.end ?? text.length,
    ]
    // Words that are not independent of each other may have more tokens together than they were counted for.
    let ids = tokenizer.content(prompt + text.slice(...slice()))
    while (ids.length > room && last - first > 1) {
      if (last - 1 > fresh) last--
      else first++
      ids = tokenizer.content(prompt + text.slice(...slice()))
    }
    const [start, end] = slice()
    chunks.push({ start, end, ids: [...tokenizer.prefix, ...ids.slice(0, room), ...tokenizer.suffix] })
    if (last >= words.length) break
    first = last
    fresh = last
    const shared = Math.min(overlap, left - words[last]!.tokens)
    for (let sum = words[first - 1]!.tokens; sum <= shared && start < words[first - 1]!.start; ) {
      first--
      sum += words[first - 1]!.tokens
    }
    await breathe()
  }
  return chunks
}

async function measureWords(text: string, tokenizer: TextTokenizer, most: number): Promise<Word[]> {
  const words: Word[] = []
  const measure = (start: number, end: number): void => {
    const tokens = tokenizer.content(text.slice(start, end)).length
    let middle = start + Math.ceil((end - start) / 2)
    // Not between the halves of a surrogate pair.
    if (/[\udc00-\udfff]/.test(text[middle] ?? '') && /[\ud800-\udbff]/.test(text[middle - 1]!)) middle--
    if (tokens > most && middle > start && middle < end) {
      measure(start, middle)
      measure(middle, end)
    } else {
      words.push({ start, end, tokens: Math.min(tokens, most) })
    }
  }
  let start = 0
  for (const cut of tokenizer.cuts(text)) {
    measure(start, cut)
    start = cut
    await breathe()
  }
  if (start < text.length) measure(start, text.length)
  return words
}
