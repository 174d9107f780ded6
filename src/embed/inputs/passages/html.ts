// Elements of HTML as blocks of text, by htmlparser2.
import { Parser } from 'htmlparser2'
import { PipiloError } from '../../../base/index.ts'
import type { Place } from './plain.ts'
import type { Block } from './types.ts'

/** Elements that are not read. */
const unread = new Set('script style template noscript svg math head iframe object select'.split(' '))

/** Elements that a block of text ends before and after. */
const breaks = new Set(
  (
    'address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure ' +
    'footer form h1 h2 h3 h4 h5 h6 header hr html legend li main menu nav ol p pre section summary table tbody tfoot thead tr ul'
  ).split(' '),
)

/** Elements in each other: the parser's time grows with the square of their depth. Old pages leave thousands open. */
const DEEPEST = 10_000

/**
 * Blocks of HTML: paragraphs, headings, items, rows of tables, without tags. The title stands above all.
 *
 * @throws PipiloError `TEXT_INVALID` for elements nested more than 10,000 deep
 */
export function* htmlBlocks(
  text: string,
  { line = 1, sections: above = [], id }: Place & { readonly id: string },
): Generator<Block> {
  // The parser calls back; its blocks are few enough to be held.
  const reader = new Reader(text, line, above)
  let depth = 0
  const parser = new Parser(
    {
      onopentag(name, attributes) {
        if (++depth > DEEPEST) {
          throw new PipiloError('TEXT_INVALID', `${id} has elements nested more than ${DEEPEST} deep.`, {
            input: id,
          })
        }
        reader.open(name, attributes, parser.startIndex)
      },
      onclosetag(name) {
        depth--
        reader.close(name)
      },
      ontext: (words) => reader.words(words, parser.startIndex),
    },
    { decodeEntities: true },
  )
  // Piece by piece, so that what is read can be handed on.
  for (let start = 0; start < text.length; start += PIECE) {
    parser.write(text.slice(start, start + PIECE))
    yield* reader.take()
  }
  parser.end()
  reader.end()
  yield* reader.take()
}

const PIECE = 1 << 16

class Reader {
  #blocks: Block[] = []
  readonly #sections: { level: number; title: string }[] = []
  readonly #above: readonly string[]
  readonly #source: string
  #line: number
  #counted = 0
  /** Elements around that are not read. */
  readonly #silent: string[] = []
  #text = ''
  #start = 0
  #end = 0
  #pre = 0
  #heading: number | undefined
  #title: string | undefined

  constructor(source: string, line: number, above: readonly string[]) {
    this.#source = source
    this.#line = line
    this.#above = above
  }

  /** The blocks that have ended since the last call. */
  take(): readonly Block[] {
    const blocks = this.#blocks
    this.#blocks = []
    return blocks
  }

  open(name: string, attributes: Readonly<Record<string, string>>, at: number): void {
    if (name === 'title' && this.#silent.every((each) => each === 'head')) this.#title = ''
    // The end of a head may be left out.
    if (breaks.has(name) && this.#silent.at(-1) === 'head') this.#silent.pop()
    if (unread.has(name)) this.#silent.push(name)
    if (this.#silent.length > 0) return
    if (breaks.has(name)) this.#break()
    if (name === 'br') this.#text += '\n'
    if (name === 'td' || name === 'th') this.#text += ' '
    if (name === 'pre') this.#pre++
    if (name === 'img' && attributes['alt']) this.words(` ${attributes['alt']} `, at)
    if (/^h[1-6]$/.test(name)) this.#heading = Number(name[1])
  }

  close(name: string): void {
    if (this.#silent.at(-1) === name) this.#silent.pop()
    if (this.#silent.length > 0) {
      if (name === 'title' && this.#title) this.#enter(0, this.#title.replace(/\s+/g, ' ').trim())
      if (name === 'title') this.#title = undefined
      return
    }
    if (breaks.has(name)) this.#break()
    if (name === 'pre') this.#pre = Math.max(0, this.#pre - 1)
    if (/^h[1-6]$/.test(name)) this.#heading = undefined
  }

  words(words: string, at: number): void {
    if (this.#silent.length > 0) {
      if (this.#title !== undefined) this.#title += words
      return
    }
    if (words.trim() !== '') {
      const before = /^\s*/.exec(words)![0]
      const start = this.#lineAt(at + before.length)
      if (this.#text.trim() === '') this.#start = start
      this.#end = this.#lineAt(at + words.trimEnd().length)
    }
    this.#text += this.#pre > 0 ? words : words.replace(/\s+/g, ' ')
  }

  end(): void {
    this.#break()
  }

  #break(): void {
    const text = this.#pre
      ? this.#text.trimEnd().replace(/^\n+/, '')
      : this.#text
          .replace(/ {2,}/g, ' ')
          .replace(/ ?\n ?/g, '\n')
          .trim()
    this.#text = ''
    if (text.trim() === '') return
    const opens = this.#heading !== undefined
    if (opens) this.#enter(this.#heading!, text.replace(/\s+/g, ' '))
    this.#blocks.push({
      text,
      line: this.#start,
      endLine: this.#end,
      sections: [...this.#above, ...this.#sections.map(({ title }) => title)],
      ...(opens && { opens }),
      ...(this.#pre && { byLine: true }),
    })
  }

  #enter(level: number, title: string): void {
    if (title === '') return
    while (this.#sections.length > 0 && this.#sections.at(-1)!.level >= level) this.#sections.pop()
    // Many pages have their title as their first heading again.
    if (this.#sections.at(-1)?.title === title) this.#sections.pop()
    this.#sections.push({ level, title })
  }

  /** Places come in order, but for a step back inside of one text. */
  #lineAt(place: number): number {
    if (place < this.#counted) return this.#line - newlines(this.#source, place, this.#counted)
    this.#line += newlines(this.#source, this.#counted, place)
    this.#counted = place
    return this.#line
  }
}

function newlines(text: string, start: number, end: number): number {
  let count = 0
  for (let at = text.indexOf('\n', start); at >= 0 && at < end; at = text.indexOf('\n', at + 1)) count++
  return count
}
