// Paragraphs of text without marks.
import type { Block } from './types.ts'

/** Headings and lines behind which a text goes on, where it is a part of a file. */
export interface Place {
  /** Line of the text's first, from 1. */
  readonly line?: number
  readonly sections?: readonly string[]
}

/** Paragraphs, between empty lines. */
export function* plainBlocks(
  text: string,
  { line = 1, sections = [] }: Place = {},
  byLine = false,
): Generator<Block> {
  let held: string[] = []
  let at = line - 1
  const block = (): Block => ({
    text: held.join('\n'),
    line: at - held.length + 1,
    endLine: at,
    sections,
    exact: true,
    ...(byLine && { byLine }),
  })
  for (const each of text.split('\n')) {
    if (each.trim() === '') {
      if (held.length > 0) yield block()
      held = []
    } else held.push(each)
    at++
  }
  if (held.length > 0) yield block()
}
