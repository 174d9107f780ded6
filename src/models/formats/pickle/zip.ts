// Lists the uncompressed entries of zip archives.
import { PipiloError } from '../../../base/index.ts'
import { type OpenFile, viewOf } from '../../files.ts'

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
export async function readZip(file: OpenFile): Promise<ZipEntry[]> {
  const { name: label, size } = file
  const { offset, length, count } = await findDirectory(file)
  if (offset + length > size || length > MOST) throw broken(label, 'its list of entries points outside')
  const bytes = await file.read(offset, length)
  const directory = viewOf(bytes)
  const entries: ZipEntry[] = []
  let at = 0
  for (let i = 0; i < count; i++) {
    if (at + 46 > length || directory.getUint32(at, true) !== DIRECTORY) {
      throw broken(label, `its list of entries ends after ${i} of ${count}`)
    }
    const flags = directory.getUint16(at + 8, true)
    const method = directory.getUint16(at + 10, true)
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((place) =>
      directory.getUint16(at + place, true),
    )
    const end = at + 46 + nameLength! + extraLength! + commentLength!
    if (end > length) throw broken(label, `its list of entries ends after ${i} of ${count}`)
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength!))
    const extra = viewOf(bytes.subarray(at + 46 + nameLength!, at + 46 + nameLength! + extraLength!))
    const wide = zip64(extra, [
      directory.getUint32(at + 24, true),
      directory.getUint32(at + 20, true),
      directory.getUint32(at + 42, true),
    ])
    const [content, stored, local] = wide as [number, number, number]
    if (method !== 0 || (flags & 1) !== 0 || content !== stored) {
      throw new PipiloError('FORMAT_UNSUPPORTED', `${label} holds ${name} compressed or encrypted.`, {
        input: label,
        hint: 'torch.save stores entries as they are: write it again with that.',
      })
    }
    entries.push({ name, offset: await contentOffset(file, local), length: content })
    at = end
  }
  for (const { name, offset: start, length: stored } of entries) {
    if (start + stored > size) throw broken(label, `the entry ${name} ends outside of it`)
  }
  return entries
}

async function findDirectory({ name: label, size, read }: OpenFile) {
  // The end record may be followed by a comment of up to 65,535 bytes.
  const tail = Math.min(size, 65_535 + 22)
  const bytes = viewOf(await read(size - tail, tail))
  let end = tail - 22
  while (end >= 0 && bytes.getUint32(end, true) !== END) end--
  if (end < 0) throw broken(label, 'it has no end record, as if it were cut off')
  const small = {
    count: bytes.getUint16(end + 10, true),
    length: bytes.getUint32(end + 12, true),
    offset: bytes.getUint32(end + 16, true),
  }
  const locator = end - 20
  if (locator < 0 || bytes.getUint32(locator, true) !== LOCATOR_64) return small
  const place = Number(bytes.getBigUint64(locator + 8, true))
  if (place + 56 > size) throw broken(label, 'its end record points outside')
  const record = viewOf(await read(place, 56))
  if (record.getUint32(0, true) !== END_64) throw broken(label, 'its end record points to something else')
  return {
    count: Number(record.getBigUint64(32, true)),
    length: Number(record.getBigUint64(40, true)),
    offset: Number(record.getBigUint64(48, true)),
  }
}

/** Fields of 32 bits, replaced by those of the zip64 extra field where they are full. */
function zip64(extra: DataView, fields: readonly number[]): number[] {
  let at = 0
  while (at + 4 <= extra.byteLength && extra.getUint16(at, true) !== 1)
    at += 4 + extra.getUint16(at + 2, true)
  let place = at + 4
  return fields.map((field) => {
    if (field !== 0xffffffff || place + 8 > extra.byteLength) return field
    place += 8
    return Number(extra.getBigUint64(place - 8, true))
  })
}

/** The content stands behind a header of its own, whose length the list of entries does not tell. */
async function contentOffset({ name: label, size, read }: OpenFile, local: number): Promise<number> {
  if (local + 30 > size) throw broken(label, 'an entry begins outside of it')
  const header = viewOf(await read(local, 30))
  if (header.getUint32(0, true) !== LOCAL) throw broken(label, 'an entry has no header')
  return local + 30 + header.getUint16(26, true) + header.getUint16(28, true)
}

function broken(label: string, complaint: string): PipiloError {
  return new PipiloError('FORMAT_INVALID', `${label} is a broken zip archive: ${complaint}.`, {
    input: label,
    hint: 'Download or write it again.',
  })
}
