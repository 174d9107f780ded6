// Headings, paragraphs, lists and tables of Markdown, by Lezer's parser.
import type { Tree } from '@lezer/common'
import { type BlockContext, GFM, type MarkdownParser, parser } from '@lezer/markdown'
import { htmlBlocks } from './html.ts'
import { nestedTooDeep, treeOf } from './tree.ts'
import type { Block } from './types.ts'

const markdown = parser.configure([GFM])

/** UTF-16 units of a paragraph in which marks are found: the time for that grows with the square of its length. */
const LONGEST_INLINE = 16_384

/** Quotes and lists around a block: the time for them grows with the square of their depth. */
const DEEPEST = 100

/** So many marks of quotes and lists at the start of a line, of which the parser makes as many blocks at once. */
const tooDeep = new RegExp(
  String.raw`^[ \t]*(?:(?:>|[-+*](?=[ \t])|\d{1,9}[.)](?=[ \t]))[ \t]*){${DEEPEST + 1}}`,
  'm',
)

const bounded: MarkdownParser = Object.create(markdown, {
  parseInline: {
    value: (text: string, offset: number) =>
      text.length > LONGEST_INLINE ? [] : markdown.parseInline(text, offset),
  },
})

/** Marks that are not read, and addresses; of a table the bars. */
const marks = new Set([
  'HeaderMark',
  'QuoteMark',
  'EmphasisMark',
  'StrikethroughMark',
  'LinkMark',
  'LinkLabel',
  'CodeMark',
  'CodeInfo',
  'TableDelimiter',
  'TaskMarker',
  'HTMLTag',
  'Comment',
  'CommentBlock',
  'ProcessingInstruction',
])

/** Blocks that say nothing by themselves. */
const silent = new Set(['HorizontalRule', 'LinkReference', 'CommentBlock', 'ProcessingInstructionBlock'])

/**
 * Blocks of Markdown, without its marks. A front matter (YAML between `---`) is read as text. Marks in a paragraph of more than 16,384 characters
 * stay.
 *
 * @throws PipiloError `TEXT_INVALID` for quotes and lists in each other more than 100 deep; those of {@link treeOf}
 */
export function* markdownBlocks(text: string, id: string): Generator<Block> {
  const sections: { level: number; title: string }[] = []
  const path = () => sections.map(({ title }) => title)
  const lineAt = lineCounter(text)
  const front = /^---\n[\s\S]*?\n(?:---|\.\.\.)(?:\n|$)/.exec(text)?.[0] ?? ''
  const body = front ? front.replace(/[^\n]/g, ' ') + text.slice(front.length) : text
  if (front) {
    const words = front.replace(/^(?:---|\.\.\.)$/gm, '').trimEnd()
    yield { text: words, line: 1, endLine: lineAt(words.length), sections: [], exact: true, byLine: true }
  }
  const tree = parsed(body, id)
  for (let node = tree.topNode.firstChild; node; node = node.nextSibling) {
    const { name, from, to } = node
    if (silent.has(name)) continue
    const line = lineAt(from)
    if (name === 'HTMLBlock') {
      for (const block of htmlBlocks(body.slice(from, to), { line, sections: path(), id })) {
        yield block
        // A heading as HTML, as READMEs have it above a logo.
        if (block.opens) enter(1, block.sections.at(-1)!)
      }
      continue
    }
    const cleaned = withoutMarks(body, node)
    const words = cleaned.trimEnd()
    const level = /Heading(\d)$/.exec(name)?.[1]
    if (level !== undefined) {
      const title = words.trim().replace(/\s+/g, ' ')
      if (title === '') continue
      enter(Number(level), title)
    }
    yield {
      text: level === undefined ? words : words.trim(),
      line,
      endLine: line + count(words),
      sections: path(),
      exact: true,
      ...(level !== undefined && { opens: true }),
      ...(/Code|Table/.test(name) && { byLine: true }),
    }
  }

  function enter(level: number, title: string): void {
    while ((sections.at(-1)?.level ?? 0) >= level) sections.pop()
    sections.push({ level, title })
  }
}

function parsed(text: string, id: string): Tree {
  if (tooDeep.test(text)) throw nestedTooDeep(id)
  const parse = bounded.startParse(text) as BlockContext
  return treeOf(parse, text, id, () => {
    if (parse.depth > DEEPEST) throw nestedTooDeep(id)
  })
}

type Node = NonNullable<ReturnType<typeof markdown.parse>['topNode']['firstChild']>

/** The text of a node without marks; all its lines stay. */
function withoutMarks(text: string, node: Node): string {
  let cleaned = ''
  let at = node.from
  const drop = (from: number, to: number, instead = '') => {
    cleaned += text.slice(at, from) + instead + '\n'.repeat(count(text.slice(from, to)))
    at = to
  }
  node.cursor().iterate(({ name, from, to, node: each }) => {
    if (from < at) return
    if (name === 'TableDelimiter') drop(from, to, ' ')
    else if (name === 'LinkTitle') drop(at + text.slice(at, from).trimEnd().length, to)
    // An address that stands for itself is read.
    else if (name === 'URL' ? each.parent?.name === 'Link' || each.parent?.name === 'Image' : marks.has(name))
      drop(from, to)
    else return
    return false
  })
  return (cleaned + text.slice(at, node.to)).replace(/&(?:amp|lt|gt|quot|nbsp);/g, (name) => entities[name]!)
}

const entities: Record<string, string> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&nbsp;': ' ',
}

const count = (text: string): number => text.split('\n').length - 1

/** Lines, from 1, of places that are asked for in order. */
export function lineCounter(text: string): (place: number) => number {
  let line = 1
  let next = text.indexOf('\n')
  return (place) => {
    while (next >= 0 && next < place) {
      line++
      next = text.indexOf('\n', next + 1)
    }
    return line
  }
}
