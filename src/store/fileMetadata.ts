// Metadata of rows that come from files, and the comparison that finds a file unchanged.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { fileError } from '../base/files/index.ts'
import { PipiloError } from '../base/index.ts'
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

/** Metadata beside the vector of an input that came from a file. Of a passage, which is no longer than the model reads, all of its text is kept. */
export function metadataOf(found: ReadInput, sha256: string): Metadata {
  const { input, path, line, endLine, page, heading, text, size, modified } = found
  return {
    ...(path !== undefined && { path }),
    ...(line !== undefined && { line, text: text ?? clip(input) }),
    ...(endLine !== undefined && { endLine, by: 'passage' }),
    ...(page !== undefined && { page }),
    ...(heading !== undefined && { heading }),
    sha256,
    ...(size !== undefined && Number.isFinite(size) && { size }),
    ...(modified && { modified: modified.toISOString() }),
  }
}

/** True for a row of the same content, read in the same way. */
export const isUnchanged = (stored: Metadata | undefined, now: Metadata): boolean =>
  stored !== undefined && stored.sha256 === now.sha256 && stored.reading === now.reading

/** Fields that indexing itself writes. */
const ownFields = new Set('path line endLine page heading text by sha256 size modified reading'.split(' '))

/** True if a row's further metadata, of the caller, is what it is now. */
export function isSame(stored: Metadata, now: Metadata): boolean {
  const names = new Set([...Object.keys(stored), ...Object.keys(now)])
  return [...names].every((name) => ownFields.has(name) || (stored[name] ?? null) === (now[name] ?? null))
}

/**
 * The caller's metadata of an input's file, asked for once for all inputs of it.
 * @throws PipiloError `OPTION_INVALID` for a field that indexing writes itself
 */
export function metadataBy(
  ask: ((file: { path: string; size?: number; modified?: Date }) => Metadata | Promise<Metadata>) | undefined,
): (input: ReadInput) => Promise<Metadata> {
  let last: string | undefined
  let answer: Metadata = {}
  return async ({ id, path = id, size, modified }) => {
    if (!ask) return {}
    if (path === last) return answer
    const given = await ask({ path, ...(size !== undefined && { size }), ...(modified && { modified }) })
    const taken = Object.keys(given).find((name) => ownFields.has(name))
    if (taken !== undefined) {
      throw new PipiloError(
        'OPTION_INVALID',
        `metadata gives the field '${taken}', which indexing writes itself.`,
        {
          input: taken,
          hint: `Choose another name than ${[...ownFields].join(', ')}.`,
        },
      )
    }
    last = path
    answer = given
    return given
  }
}

function clip(text: string): string {
  if (text.length <= SNIPPET) return text
  // Not between the halves of a surrogate pair.
  const end = /[\ud800-\udbff]/.test(text[SNIPPET - 2]!) ? SNIPPET - 2 : SNIPPET - 1
  return `${text.slice(0, end)}…`
}
