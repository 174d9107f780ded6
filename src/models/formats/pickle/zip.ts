// Lists the uncompressed entries of zip archives.
import type { FileHandle } from 'node:fs/promises'
import { PipiloError } from '../../../base/index.ts'
import { readAt } from '../../sources/files.ts'

/** A file inside a zip archive that is stored as it is. */
export interface ZipEntry {
  readonly name: string
  /** Bytes from the start of the archive to its content. */
  readonly offset: number
  readonly length: number
}

const END = 0x06054b50
const END_64 = 0x06064b50
const LOCATOR_64 = 0x07064b50
const DIRECTORY = 0x02014b50
const LOCAL = 0x04034b50

/** Longest list of entries that is read. */
const MOST = 1 << 28

/**
 * The entries of a zip archive (zip64 included), in its order.
 *
 * @throws PipiloError `FORMAT_INVALID` where it is cut off or broken, `FORMAT_UNSUPPORTED` for compressed or encrypted entries
 * @see https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 */
export async function readZip(handle: FileHandle, size: number, label: string): Promise<ZipEntry[]> {
  const { offset, length, count } = await findDirectory(handle, size, label)
  if (offset + length > size || length > MOST) throw broken(label, 'its list of entries points outside')
  const directory = await readAt(handle, offset, length)
  const entries: ZipEntry[] = []
  let at = 0
  for (let i = 0; i < count; i++) {
    if (at + 46 > length || directory.readUInt32LE(at) !== DIRECTORY) {
      throw broken(label, `its list of entries ends after ${i} of ${count}`)
    }
    const flags = directory.readUInt16LE(at + 8)
    const method = directory.readUInt16LE(at + 10)
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((place) =>
      directory.readUInt16LE(at + place),
    )
    const end = at + 46 + nameLength! + extraLength! + commentLength!
    if (end > length) throw broken(label, `its list of entries ends after ${i} of ${count}`)
    const name = directory.toString('utf8', at + 46, at + 46 + nameLength!)
    const extra = directory.subarray(at + 46 + nameLength!, at + 46 + nameLength! + extraLength!)
    const wide = zip64(extra, [
      directory.readUInt32LE(at + 24),
      directory.readUInt32LE(at + 20),
      directory.readUInt32LE(at + 42),
    ])
    const [content, stored, local] = wide as [number, number, number]
    if (method !== 0 || (flags & 1) !== 0 || content !== stored) {
      throw new PipiloError('FORMAT_UNSUPPORTED', `${label} holds ${name} compressed or encrypted.`, {
        input: label,
        hint: 'torch.save stores entries as they are: write it again with that.',
      })
    }
    entries.push({ name, offset: await contentOffset(handle, size, local, label), length: content })
    at = end
  }
  for (const { name, offset: start, length: bytes } of entries) {
    if (start + bytes > size) throw broken(label, `the entry ${name} ends outside of it`)
  }
  return entries
}

async function findDirectory(handle: FileHandle, size: number, label: string) {
  // The end record may be followed by a comment of up to 65,535 bytes.
  const tail = Math.min(size, 65_535 + 22)
  const bytes = await readAt(handle, size - tail, tail)
  let end = tail - 22
  while (end >= 0 && bytes.readUInt32LE(end) !== END) end--
  if (end < 0) throw broken(label, 'it has no end record, as if it were cut off')
  const small = {
    count: bytes.readUInt16LE(end + 10),
    length: bytes.readUInt32LE(end + 12),
    offset: bytes.readUInt32LE(end + 16),
  }
  const locator = end - 20
  if (locator < 0 || bytes.readUInt32LE(locator) !== LOCATOR_64) return small
  const place = Number(bytes.readBigUInt64LE(locator + 8))
  if (place + 56 > size) throw broken(label, 'its end record points outside')
  const record = await readAt(handle, place, 56)
  if (record.readUInt32LE(0) !== END_64) throw broken(label, 'its end record points to something else')
  return {
    count: Number(record.readBigUInt64LE(32)),
    length: Number(record.readBigUInt64LE(40)),
    offset: Number(record.readBigUInt64LE(48)),
  }
}

/** Fields of 32 bits, replaced by those of the zip64 extra field where they are full. */
function zip64(extra: Buffer, fields: readonly number[]): number[] {
  let at = 0
  while (at + 4 <= extra.length && extra.readUInt16LE(at) !== 1) at += 4 + extra.readUInt16LE(at + 2)
  let place = at + 4
  return fields.map((field) => {
    if (field !== 0xffffffff || place + 8 > extra.length) return field
    place += 8
    return Number(extra.readBigUInt64LE(place - 8))
  })
}

/** The content stands behind a header of its own, whose length the list of entries does not tell. */
async function contentOffset(
  handle: FileHandle,
  size: number,
  local: number,
  label: string,
): Promise<number> {
  if (local + 30 > size) throw broken(label, 'an entry begins outside of it')
  const header = await readAt(handle, local, 30)
  if (header.readUInt32LE(0) !== LOCAL) throw broken(label, 'an entry has no header')
  return local + 30 + header.readUInt16LE(26) + header.readUInt16LE(28)
}

function broken(label: string, complaint: string): PipiloError {
  return new PipiloError('FORMAT_INVALID', `${label} is a broken zip archive: ${complaint}.`, {
    input: label,
    hint: 'Download or write it again.',
  })
}
