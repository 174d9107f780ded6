// Packs the blocks of a file into passages of a bounded length, and cuts those that are longer.
import type { Block, Passage, PassageLength } from './types.ts'

/** How many times the headings above a passage fit into it. */
const HEADING_SHARE = 4

/** Share of a passage below which a section is too short for one of its own. */
const SHORT_SHARE = 4

/** Characters a token that a passage has at most: a run of thousands may be one token, of what the model does not know. */
const MOST_CHARACTERS = 32

/**
 * Passages of a file's blocks, in order. Blocks of one section go together as long as they fit; a longer one is cut between sentences (of
 * code: lines), and only where a sentence is longer than a passage, between words or inside them. Neighbours overlap where a block is cut.
 */
export async function* passagesOfBlocks(
  blocks: Iterable<Block> | AsyncIterable<Block>,
  length: PassageLength,
): AsyncGenerator<Passage> {
  const packer = new Packer(length)
  for await (const block of blocks) yield* packer.add(block)
  yield* packer.flush()
}

/** Blocks that become one passage. */
class Packer {
  readonly #length: PassageLength
  #held: Block[] = []
  #tokens = 0

  constructor(length: PassageLength) {
    const longest = Math.max(length.tokens, length.whole ?? 0) * MOST_CHARACTERS
    // Of what is far too long nobody needs to know by how much.
    const count = (text: string) =>
      text.length > longest ? Math.ceil(text.length / MOST_CHARACTERS) : length.count(text)
    this.#length = { ...length, count }
  }

  *add(given: Block): Generator<Passage> {
    let block = given
    if (!/[\p{L}\p{N}]/u.test(block.text)) return
    const onlyHeadings = this.#held.length > 0 && this.#held.every(({ opens, alone }) => opens && !alone)
    const goesOn = onlyHeadings
      ? isBelow(this.#held.at(-1)!, block) || isBeside(this.#held.at(-1)!, block)
      : this.#joins(block)
    if (!goesOn) yield* this.flush()
    const { count } = this.#length
    const size = count(block.text)
    if (this.#held.length > 0 && this.#tokens + size > this.#room([...this.#held, block])) {
      // A heading stays with what it is above.
      if (onlyHeadings) {
        block = glued([...this.#held, block])
        this.#held = []
        this.#tokens = 0
        yield* this.#long(block)
        return
      }
      // "As follows:" stays with what follows.
      const announcing = /:$/.test(this.#held.at(-1)!.text.trimEnd())
      const carried = announcing ? this.#held.pop()! : undefined
      yield* this.flush()
      if (carried) {
        const tokens = count(carried.text)
        if (tokens + size <= this.#room([carried])) {
          this.#held = [carried]
          this.#tokens = tokens
        } else block = glued([carried, block])
      }
    }
    if (count(block.text) > this.#room([block])) {
      yield* this.#long(block)
      return
    }
    this.#held.push(block)
    this.#tokens += size
    if (block.alone) yield* this.flush()
  }

  *flush(): Generator<Passage> {
    if (this.#held.length === 0) return
    const block = glued(this.#held)
    this.#held = []
    this.#tokens = 0
    // Together, texts may have more tokens than one by one.
    if (this.#length.count(block.text) > this.#room([block])) yield* this.#cut(block)
    else yield this.#passage(block, block.text, block.line, block.endLine)
  }

  #joins({ sections, page, alone, opens }: Block): boolean {
    const first = this.#held[0]
    if (!first) return true
    if (alone || page !== first.page) return false
    if (samePath(sections, this.#held.at(-1)!.sections)) return true
    // A short section goes on with the next one under the same heading.
    const isNext = opens === true && aboveOf(first).every((each, i) => each === sections[i])
    return isNext && this.#tokens < this.#length.tokens / SHORT_SHARE
  }

  /** Headings above a passage that its text does not begin with: as many of the nearest as are not long together. */
  #lead(block: Block, inside = false): string {
    const above = inside ? block.sections : aboveOf(block)
    const most = this.#length.tokens / HEADING_SHARE
    let lead = ''
    for (let i = above.length - 1; i >= 0; i--) {
      const longer = lead ? `${above[i]} > ${lead}` : above[i]!
      if (this.#length.count(longer) > most) break
      lead = longer
    }
    return lead
  }

  #passage(block: Block, text: string, line: number, endLine: number, inside = false): Passage {
    const heading = (inside ? block.sections : aboveOf(block)).join(' > ')
    const lead = this.#lead(block, inside)
    const { page } = block
    const shown = text
      // Looked for from the first blank of each run alone: in linear time.
      .replace(/(?<![ \t])[ \t]+$/gm, '')
      .replace(/\n{3,}/g, '\n\n')
      .replace(/^\n+|\n+$/g, '')
    return {
      text: shown,
      line,
      endLine,
      ...(heading && { heading }),
      ...(lead && { lead }),
      ...(page !== undefined && { page }),
    }
  }

  #room([first]: readonly Block[], inside = false): number {
    const { tokens, most = Number.POSITIVE_INFINITY, count } = this.#length
    const lead = this.#lead(first!, inside)
    return Math.min(tokens, lead ? most - count(lead) : most)
  }

  /** A block that is longer than passages are: whole where it may be, else in parts. */
  *#long(block: Block): Generator<Passage> {
    if (this.#isWhole(block)) yield this.#passage(block, block.text, block.line, block.endLine)
    else yield* this.#cut(block)
  }

  /** True for code that is longer than other passages and not to be cut. */
  #isWhole(block: Block): boolean {
    const { whole = 0, count } = this.#length
    return block.byLine === true && count(block.text) + count(this.#lead(block)) <= whole
  }

  *#cut(block: Block): Generator<Passage> {
    const { count, overlap } = this.#length
    // The headings of a later part are at least as long.
    const room = Math.max(1, Math.min(this.#room([block]), this.#room([block], true)))
    const units = unitsOf(block, room, count)
    let first = 0
    // Counted on from one part to the next.
    let counted = 0
    let line = block.line
    let rest = units.reduce((sum, { tokens }) => sum + tokens, 0)
    while (first < units.length) {
      // Parts of about the same length: of a short last one the vector would be that of its headings.
      const parts = Math.max(1, Math.ceil((rest - overlap) / (room - overlap)))
      const even = (rest + (parts - 1) * overlap) / parts
      let last = first
      for (
        let sum = 0;
        last < units.length && (last === first || (sum < even && sum + units[last]!.tokens <= room));
        last++
      )
        sum += units[last]!.tokens
      const text = () => block.text.slice(units[first]!.start, units[last - 1]!.end)
      while (last - first > 1 && count(text()) > room) last--
      const [start, end] = trimmed(block.text, units[first]!.start, units[last - 1]!.end)
      const cut = block.text.slice(start, end)
      if (/[\p{L}\p{N}]/u.test(cut)) {
        if (block.exact) line += newlines(block.text, counted, start)
        counted = start
        const endLine = block.exact ? line + newlines(block.text, start, end) : block.endLine
        yield this.#passage(block, cut, line, endLine, start > 0)
      }
      if (last === units.length) return
      let next = last
      for (let sum = 0; next - 1 > first; next--) {
        sum += units[next - 1]!.tokens
        if (sum > overlap || sum + units[last]!.tokens > room) break
      }
      for (; first < next; first++) rest -= units[first]!.tokens
    }
  }
}

/** Headings that stand above a block. */
const aboveOf = ({ above, opens, sections }: Block & { readonly above?: readonly string[] }) =>
  above ?? (opens ? sections.slice(0, -1) : sections)

/** True for a heading right behind one of the same section: two names of what follows. */
const isBeside = (heading: Block, block: Block): boolean =>
  block.opens === true &&
  !block.alone &&
  heading.page === block.page &&
  samePath(aboveOf(heading), aboveOf(block))

const samePath = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((each, i) => each === other[i])

/** True for a block in the section that a heading opens, or in one below. */
const isBelow = ({ sections, page }: Block, block: Block): boolean =>
  page === block.page && sections.every((each, i) => each === block.sections[i])

/** Several blocks as one, as far apart as they stand in the file. */
function glued(blocks: readonly Block[]): Block & { readonly above?: readonly string[] } {
  if (blocks.length === 1) return blocks[0]!
  let text = ''
  let exact = true
  for (const [i, block] of blocks.entries()) {
    const before = blocks[i - 1]
    const gap = before ? Math.max(1, block.line - before.endLine) : 0
    exact &&= block.exact === true && (!before || block.line > before.endLine)
    // Between paragraphs of what has no lines of its own stands an empty one.
    text += '\n'.repeat(block.exact || !before ? gap : 2) + block.text
  }
  const [first, last] = [blocks[0]!, blocks.at(-1)!]
  return {
    ...first,
    text,
    endLine: last.endLine,
    sections: last.sections,
    above: aboveOf(first),
    exact,
    byLine: blocks.some(({ byLine }) => byLine),
  }
}

/** A stretch of a text that is kept whole, with its tokens. */
interface Unit {
  readonly start: number
  readonly end: number
  readonly tokens: number
}

/** Sentences or lines of a block; of those that are longer than a passage, their lines, words, and parts of words. */
function unitsOf({ text, byLine }: Block, room: number, count: (text: string) => number): Unit[] {
  const cutters = byLine ? [lines, words] : [sentences, lines, words]
  const units: Unit[] = []
  const measure = (start: number, end: number, level: number): void => {
    const part = text.slice(start, end)
    const tokens = count(part)
    if (tokens <= room) {
      units.push({ start, end, tokens })
      return
    }
    let from = start
    const cutter = cutters[level]
    if (cutter) {
      for (const cut of cutter(part)) {
        measure(from, start + cut, level + 1)
        from = start + cut
      }
      if (from > start) measure(from, end, level + 1)
      else measure(start, end, level + 1)
      return
    }
    let middle = start + Math.ceil((end - start) / 2)
    // Not between the halves of a surrogate pair.
    if (/[\udc00-\udfff]/.test(text[middle] ?? '') && /[\ud800-\udbff]/.test(text[middle - 1]!)) middle--
    if (middle <= start || middle >= end) units.push({ start, end, tokens: room })
    else {
      measure(start, middle, level)
      measure(middle, end, level)
    }
  }
  // Whole, it is known to be too long.
  let from = 0
  for (const cut of cutters[0]!(text)) {
    measure(from, cut, 1)
    from = cut
  }
  measure(from, text.length, 1)
  return units
}

let segmenter: Intl.Segmenter | undefined

/** Places where sentences begin. A line's end is no end of a sentence, an empty line is. */
function* sentences(text: string): Generator<number> {
  segmenter ??= new Intl.Segmenter('en', { granularity: 'sentence' })
  for (const [paragraph, start] of stretches(text, /\n[ \t]*\n\s*|\n(?=[ \t]*(?:[-*•+]|\d+[.)]) )/g)) {
    for (let from = 0; from < paragraph.length; ) {
      const window = beginning(paragraph, from)
      for (const { index } of segmenter.segment(window.replaceAll('\n', ' '))) {
        const place = start + from + index
        if (place > 0) yield place
      }
      from += window.length
    }
  }
}

/** UTF-16 units that are segmented at a time: each sentence costs as much as the text around it is long. */
const WINDOW = 8192

/** As much of a text as is segmented at a time, to the end of a line or word. */
function beginning(text: string, from: number): string {
  if (text.length - from <= WINDOW) return text.slice(from)
  const window = text.slice(from, from + WINDOW)
  const end = Math.max(window.lastIndexOf('\n'), window.lastIndexOf(' '))
  return end > 0 ? window.slice(0, end + 1) : window.replace(/[\ud800-\udbff]$/, '')
}

/** Places where lines begin. */
function* lines(text: string): Generator<number> {
  for (const [, start] of stretches(text, /\n/g)) if (start > 0) yield start
}

/** Places before the spaces between words. */
function* words(text: string): Generator<number> {
  for (const { index } of text.matchAll(/(?<=\S)\s/g)) yield index
}

/** Stretches between what a pattern matches, with the places where they begin; matches belong to the stretch before. */
function* stretches(text: string, pattern: RegExp): Generator<[text: string, start: number]> {
  let start = 0
  for (const { index, 0: match } of text.matchAll(pattern)) {
    const end = index + match.length
    yield [text.slice(start, end), start]
    start = end
  }
  if (start < text.length) yield [text.slice(start), start]
}

/** A stretch without space at its ends; at its start only whole empty lines, as code is indented. */
function trimmed(text: string, start: number, end: number): [start: number, end: number] {
  const part = text.slice(start, end)
  const before = /^(?:[ \t]*\n)+/.exec(part)?.[0].length ?? 0
  return [start + before, start + Math.max(before, part.trimEnd().length)]
}

function newlines(text: string, start: number, end: number): number {
  let count = 0
  for (let at = text.indexOf('\n', start); at >= 0 && at < end; at = text.indexOf('\n', at + 1)) count++
  return count
}
