// Metadata of rows that come from files, and the comparison that finds a file unchanged.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { fileError } from '../base/files/index.ts'
import type { ReadInput } from '../embed/index.ts'
import type { Metadata } from './types.ts'

/** Characters of a line that are kept, for people to read. */
const SNIPPET = 500

/** SHA-256 of what is embedded: a line's text, a picture's file (the address, for what is fetched), in hexadecimal. */
export async function sha256Of({ input, line, path }: ReadInput): Promise<string> {
  const hash = createHash('sha256')
  if (line !== undefined || path === undefined) return hash.update(input).digest('hex')
  try {
    for await (const chunk of createReadStream(input, { highWaterMark: 1 << 18 })) hash.update(chunk)
  } catch (error) {
    throw fileError(error, path, 'read')
  }
  return hash.digest('hex')
}

/** Metadata beside the vector of an input that came from a file. */
export function metadataOf({ input, path, line, size, modified }: ReadInput, sha256: string): Metadata {
  return {
    ...(path !== undefined && { path }),
    ...(line !== undefined && { line, text: clip(input) }),
    sha256,
    ...(size !== undefined && Number.isFinite(size) && { size }),
    ...(modified && { modified: modified.toISOString() }),
  }
}

/** True for a row of the same content, read in the same way. */
export const isUnchanged = (stored: Metadata | undefined, now: Metadata): boolean =>
  stored !== undefined && stored.sha256 === now.sha256 && stored.reading === now.reading

function clip(text: string): string {
  if (text.length <= SNIPPET) return text
  // Not between the halves of a surrogate pair.
  const end = /[\ud800-\udbff]/.test(text[SNIPPET - 2]!) ? SNIPPET - 2 : SNIPPET - 1
  return `${text.slice(0, end)}…`
}
