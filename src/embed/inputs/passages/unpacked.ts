// Refuses documents whose packed parts would fill the memory: their readers unpack a part whole.
import { Readable } from 'node:stream'
import { createInflate, createInflateRaw } from 'node:zlib'
import { PipiloError } from '../../../base/index.ts'

/** Bytes that a part may unpack to: a page of print, as pixels of 600 dots an inch, has 100 MB. */
const MOST = 2 ** 28

/** Deflate makes a byte of 1,032 at most. */
const RATIO = 1032

/**
 * Looks at the parts of a ZIP archive.
 *
 * @throws PipiloError `FORMAT_UNSUPPORTED` for a part that unpacks to more than 256 MB
 * @see https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT 4.3.7
 */
export async function checkZip(bytes: Buffer, id: string): Promise<void> {
  const LOCAL = 'PK\x03\x04'
  for (let at = bytes.indexOf(LOCAL, 0, 'latin1'); at >= 0; at = bytes.indexOf(LOCAL, at + 4, 'latin1')) {
    if (at + 30 > bytes.length) return
    const isDeflated = bytes.readUInt16LE(at + 8) === 8
    const start = at + 30 + bytes.readUInt16LE(at + 26) + bytes.readUInt16LE(at + 28)
    // A part may hold these four bytes itself, so that the next of them do not tell where it ends.
    if (isDeflated) await check(bytes.subarray(start), ['raw'], id, bytes.length - start)
  }
}

/**
 * Looks at the streams of a PDF document.
 *
 * @throws PipiloError `FORMAT_UNSUPPORTED` for a stream that unpacks to more than 256 MB
 * @see https://opensource.adobe.com/dc-acrobat-sdk-docs/pdfstandards/PDF32000_2008.pdf 7.3.8
 */
export async function checkPdf(bytes: Buffer, id: string): Promise<void> {
  const STREAM = 'stream'
  let before = 0
  for (let at = bytes.indexOf(STREAM, 0, 'latin1'); at >= 0; at = bytes.indexOf(STREAM, at + 6, 'latin1')) {
    if (bytes.toString('latin1', at - 3, at) === 'end') {
      before = at + 6
      continue
    }
    const start = at + 6 + (bytes[at + 6] === 0x0d ? 1 : 0) + 1
    const head = bytes.toString('latin1', Math.max(before, at - 2048), at)
    const filters = head.match(/\/Fl(?:ateDecode)?\b/g) ?? []
    // A stream may hold the word endstream itself: readers go by its length, which may stand elsewhere.
    const length = /\/Length\s+(\d+)(?!\s+\d+\s+R)/.exec(head)?.[1]
    const packed = bytes.subarray(start)
    const filled = filters.map(() => 'zlib' as const)
    if (filters.length > 0) await check(packed, filled, id, Number(length ?? packed.length))
  }
}

async function check(
  packed: Uint8Array,
  filters: readonly ('raw' | 'zlib')[],
  id: string,
  length: number,
): Promise<void> {
  if (filters.length === 1 && length * RATIO <= MOST) return
  if ((await unpackedLength(packed, filters)) <= MOST) return
  throw new PipiloError(
    'FORMAT_UNSUPPORTED',
    `${id} has a part that unpacks to more than ${MOST / 2 ** 20} MB.`,
    {
      input: id,
      hint: 'Such a part holds no text that is meant to be read.',
    },
  )
}

/** Bytes that a part unpacks to, or the first number above the limit. What is damaged ends where it is. */
function unpackedLength(packed: Uint8Array, filters: readonly ('raw' | 'zlib')[]): Promise<number> {
  return new Promise((resolve) => {
    let length = 0
    const source = Readable.from([packed])
    const unpackers = filters.map((kind) => (kind === 'raw' ? createInflateRaw() : createInflate()))
    const end = () => {
      for (const stream of [source, ...unpackers]) stream.destroy()
      resolve(length)
    }
    for (const unpacker of unpackers) unpacker.on('error', end)
    unpackers.at(-1)!.on('data', (chunk: Uint8Array) => {
      length += chunk.length
      if (length > MOST) end()
    })
    unpackers.at(-1)!.on('end', end)
    unpackers.reduce<Readable>((from, unpacker) => from.pipe(unpacker), source)
  })
}
