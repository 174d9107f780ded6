// Splits CSV (RFC 4180) and tab-separated text into records and fields.
import { type ByteLine, decodeText, LONGEST } from '../inputLines.ts'

const QUOTE = 0x22

/** A record as it lies in its file: one line, or several where a quoted field has newlines. */
export type ByteRecord = ByteLine & {
  /** The last of its lines. */
  readonly lastLine: number
}

/**
 * Joins the lines of a CSV file to records.
 *
 * @remarks
 * A quote opens a field only at its start, as RFC 4180 says, so that a stray one spoils its own record and none after it.
 */
export async function* csvRecords(
  lines: AsyncIterable<ByteLine>,
  delimiter: number,
): AsyncGenerator<ByteRecord> {
  let first: ByteLine | undefined
  let parts: Uint8Array[] = []
  let length = 0
  let last = 0
  for await (const each of lines) {
    last = each.line
    if (!first) {
      if (!each.bytes || !endsInQuotes(each.bytes, false, delimiter)) {
        yield { ...each, lastLine: each.line }
        continue
      }
      first = each
      parts = [each.bytes.slice()]
      length = each.bytes.length
      continue
    }
    length += 1 + (each.bytes?.length ?? LONGEST)
    if (length <= LONGEST) parts.push(each.bytes!.slice())
    else parts = []
    if (each.bytes && endsInQuotes(each.bytes, true, delimiter)) continue
    yield { ...first, bytes: recordOf(parts, length), lastLine: last }
    first = undefined
  }
  if (first) yield { ...first, bytes: recordOf(parts, length), lastLine: last }
}

function recordOf(parts: readonly Uint8Array[], length: number): Uint8Array | undefined {
  if (length > LONGEST) return undefined
  const bytes = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    if (at > 0) bytes[at++] = 0x0a
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/** True if a line ends inside a quoted field. */
function endsInQuotes(bytes: Uint8Array, quoted: boolean, delimiter: number): boolean {
  let inside = quoted
  for (let at = bytes.indexOf(QUOTE); at >= 0; at = bytes.indexOf(QUOTE, at + 1)) {
    if (inside) {
      if (bytes[at + 1] === QUOTE) at++
      else inside = false
    } else if (at === 0 || bytes[at - 1] === delimiter || isMark(bytes, at)) inside = true
  }
  return inside
}

/** True behind nothing but a byte order mark. */
const isMark = (bytes: Uint8Array, at: number): boolean =>
  at === 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf

/** Fields of a record, or why it has none. */
export type Fields = { readonly fields: string[] } | { readonly problem: string }

/** Fields of a CSV record: those in quotes may hold delimiters, newlines and doubled quotes. */
export function csvFields(bytes: Uint8Array | undefined, delimiter: string, first = false): Fields {
  const decoded = decodeText(bytes, first)
  if ('problem' in decoded) return decoded
  const { text } = decoded
  if (!text.includes('"')) return { fields: text.split(delimiter) }
  const fields: string[] = []
  let at = 0
  for (;;) {
    if (text[at] !== '"') {
      const end = endOf(text, delimiter, at)
      const field = text.slice(at, end)
      if (field.includes('"')) return { problem: 'has a quote inside a field that does not begin with one' }
      fields.push(field)
      at = end
    } else {
      const closed = closingQuote(text, at + 1)
      if (closed < 0) return { problem: 'opens a quote that is never closed' }
      fields.push(text.slice(at + 1, closed).replaceAll('""', '"'))
      at = closed + 1
      if (at < text.length && text[at] !== delimiter) return { problem: 'goes on after a closing quote' }
    }
    if (at >= text.length) return { fields }
    at++
  }
}

function endOf(text: string, delimiter: string, from: number): number {
  const end = text.indexOf(delimiter, from)
  return end < 0 ? text.length : end
}

function closingQuote(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at >= 0; at = text.indexOf('"', at + 2)) {
    if (text[at + 1] !== '"') return at
  }
  return -1
}

/** Fields of a tab-separated line, in which quotes mean nothing. */
export function tabFields(bytes: Uint8Array | undefined, first = false): Fields {
  const decoded = decodeText(bytes, first)
  return 'problem' in decoded ? decoded : { fields: decoded.text.split('\t') }
}
