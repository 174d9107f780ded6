// Files of converted weights: their names, and the mark that tells a whole one. A kept session is found by it, without the graph's room.
import { open } from 'node:fs/promises'
import { basename } from 'node:path'
import { fill } from '../../base/files/index.ts'
import { fileIdentity } from './fileIdentity.ts'

/** Bytes at the end of such a file: its own address, so that one that was cut off, or is something else, is noticed and made anew. */
export const MARK = 32
const NAME = /^([0-9a-f]{64})\.bin$/

/** The identity of a file of weights; one that was made here is told by its name, as its times change whenever it is used. */
export async function sourceIdentity(path: string): Promise<string> {
  const [, mark] = NAME.exec(basename(path)) ?? []
  if (mark && (await hasMark(path, Buffer.from(mark, 'hex')))) return path
  return fileIdentity(path)
}

/** True if a file ends with its own address. */
export async function hasMark(path: string, mark: Uint8Array, size?: number): Promise<boolean> {
  try {
    const file = await open(path)
    try {
      const found = (await file.stat()).size
      if (found < MARK || (size !== undefined && found !== size)) return false
      const end = Buffer.alloc(MARK)
      return (await fill(file, end, found - MARK)) === MARK && end.equals(mark)
    } finally {
      await file.close()
    }
  } catch {
    return false
  }
}
