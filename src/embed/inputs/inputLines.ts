// Reads the lines of text files and of standard input.
import { createReadStream } from 'node:fs'

/** A line of text, or why it is none. */
export interface Line {
  /** Counted from 1. */
  readonly line: number
  readonly text?: string
  readonly problem?: string
}

/** Longest line in bytes that is kept: what has none of this length is not text a row a line. */
export const LONGEST = 16 << 20
const NEWLINE = 0x0a
const RETURN = 0x0d

/** A line as it lies in its file. */
export interface ByteLine {
  /** Counted from 1. */
  readonly line: number
  /** Of its first byte, from the start of the file. */
  readonly offset: number
  /** Without the newline; a carriage return before it is still there. Undefined for a line that is too long. */
  readonly bytes: Uint8Array | undefined
}

/**
 * The lines of a file or of chunks, without their ends; a mark at the start (BOM) is dropped. The last line needs no
 * newline. A line that is not UTF-8, or longer than 16 MB, comes as a problem, and the rest goes on.
 */
export async function* readLines(source: string | AsyncIterable<Uint8Array | string>): AsyncGenerator<Line> {
  for await (const { line, bytes } of readByteLines(source)) {
    yield { line, ...decodeText(bytes, line === 1) }
  }
}

/** As {@link readLines}, undecoded and with their places. */
export async function* readByteLines(
  source: string | AsyncIterable<Uint8Array | string>,
): AsyncGenerator<ByteLine> {
  const chunks = typeof source === 'string' ? createReadStream(source, { highWaterMark: 1 << 18 }) : source
  let rest: Uint8Array[] = []
  let length = 0
  let line = 0
  let offset = 0
  for await (const chunk of chunks) {
    const bytes: Uint8Array = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    let start = 0
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      const part = bytes.subarray(start, end)
      length += part.length
      yield { line: ++line, offset, bytes: joined(rest.length > 0 ? [...rest, part] : [part], length) }
      offset += length + 1
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
  if (length > 0) yield { line: ++line, offset, bytes: joined(rest, length) }
}

function joined(parts: Uint8Array[], length: number): Uint8Array | undefined {
  if (length > LONGEST) return undefined
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The text of a line's bytes, without a carriage return at its end, or why it has none.
 *
 * @param first takes a mark at the start (BOM) away
 */
export function decodeText(
  bytes: Uint8Array | undefined,
  first = false,
): { text: string } | { problem: string } {
  if (!bytes) return { problem: `is longer than ${LONGEST >> 20} MB` }
  try {
    const text = decoder.decode(bytes.at(-1) === RETURN ? bytes.subarray(0, -1) : bytes)
    return { text: first && text.startsWith('\ufeff') ? text.slice(1) : text }
  } catch {
    return { problem: 'is not valid UTF-8' }
  }
}
