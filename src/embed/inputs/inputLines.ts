// Reads the lines of text files and of standard input.
import { createReadStream } from 'node:fs'

/** A line of text, or why it is none. */
export interface Line {
  /** Counted from 1. */
  readonly line: number
  readonly text?: string
  readonly problem?: string
}

/** Longest line that is kept: what has none of this length is not text a row a line. */
const LONGEST = 16 << 20
const NEWLINE = 0x0a
const RETURN = 0x0d

/**
 * The lines of a file or of chunks, without their ends; a mark at the start (BOM) is dropped. The last line needs no
 * newline. A line that is not UTF-8, or longer than 16 MB, comes as a problem, and the rest goes on.
 */
export async function* readLines(source: string | AsyncIterable<Uint8Array | string>): AsyncGenerator<Line> {
  const chunks = typeof source === 'string' ? createReadStream(source, { highWaterMark: 1 << 18 }) : source
  let rest: Uint8Array[] = []
  let length = 0
  let line = 0
  for await (const chunk of chunks) {
    const bytes: Uint8Array = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    let start = 0
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      const part = bytes.subarray(start, end)
      length += part.length
      yield decode(++line, rest.length > 0 ? [...rest, part] : [part], length)
      rest = []
      length = 0
      start = end + 1
    }
    if (start === bytes.length) continue
    length += bytes.length - start
    // Copied: a stream may use its chunk's memory again. Beyond the longest line only the length counts.
    if (length <= LONGEST) rest.push(new Uint8Array(bytes.subarray(start)))
    else rest = []
  }
  if (length > 0) yield decode(++line, rest, length)
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decode(line: number, parts: Uint8Array[], length: number): Line {
  if (length > LONGEST) return { line, problem: `is longer than ${LONGEST >> 20} MB` }
  let bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts)
  if (bytes.at(-1) === RETURN) bytes = bytes.subarray(0, -1)
  try {
    const text = decoder.decode(bytes)
    return { line, text: line === 1 && text.startsWith('\ufeff') ? text.slice(1) : text }
  } catch {
    return { line, problem: 'is not valid UTF-8' }
  }
}
