// Turns the bytes of text files into text: Unicode by its mark, UTF-8, and encodings that are said.
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { PipiloError } from '../../../base/index.ts'
import { decoderOf, knownEncoding, unmarkedUtf16, webEncoding } from './decoders.ts'

/** A text file to be decoded. */
export interface TextFile {
  readonly path: string
  /** Name in errors. */
  readonly id: string
  /** Compressed by gzip. */
  readonly gzip?: boolean
}

export interface DecodeOptions {
  /** Encoding of files that are neither UTF-8 nor have a mark, such as `latin1`. Default: they are errors. */
  readonly encoding?: string
}

/** The bytes of a file, decompressed. */
export function bytesOf({ path, id, gzip }: TextFile): AsyncIterable<Uint8Array> {
  const file = createReadStream(path, { highWaterMark: 1 << 18 })
  if (!gzip) return file
  const plain = createGunzip({ chunkSize: 1 << 18 })
  // A reader that leaves, or an error, closes both.
  pipeline(file, plain, () => {})
  return bounded(plain, { path, id }, () => file.bytesRead)
}

/** Bytes that a compressed file may have, and how many times its own size beyond that: text is some ten times smaller, and a bomb a thousand times. */
const PLAIN = 2 ** 26
const TIMES = 200

/**
 * Refuses a file that has more in it than texts have.
 *
 * @param bytes that it unpacked to
 * @param packed bytes of it that were read
 * @throws PipiloError `FORMAT_UNSUPPORTED`
 */
export function checkUnpacked(bytes: number, packed: number, id: string): void {
  if (bytes <= PLAIN || bytes <= TIMES * packed) return
  throw new PipiloError('FORMAT_UNSUPPORTED', `${id} unpacks to more than ${TIMES} times its size.`, {
    input: id,
    hint: 'Unpack it first, if it is meant to be.',
  })
}

async function* bounded(
  plain: AsyncIterable<Uint8Array>,
  { id }: TextFile,
  read: () => number,
): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of plain) {
    bytes += chunk.length
    checkUnpacked(bytes, read(), id)
    yield chunk
  }
}

/** The first bytes of a file, decompressed. */
export async function firstBytes(file: TextFile, count: number): Promise<Uint8Array> {
  for await (const chunk of bytesOf(file)) return chunk.subarray(0, count)
  return new Uint8Array()
}

/** Text as UTF-8. */
export async function* encoded(texts: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  for await (const text of texts) yield Buffer.from(text)
}

/**
 * Text of a file, in pieces, with every line's end a newline: after CR alone and CR LF, too. What it is encoded in is known before the first piece: by the mark at its start (BOM), as UTF-8 if
 * all of it is, else as it says itself or as is said.
 *
 * @throws PipiloError `TEXT_INVALID`
 */
export async function* textOf(file: TextFile, options: DecodeOptions = {}): AsyncGenerator<string> {
  const decoder = decoderOf(await encodingOf(file, options))
  let carried = ''
  try {
    for await (const chunk of bytesOf(file)) {
      const text = carried + decoder.decode(chunk, { stream: true })
      // The other half of a line's end may follow.
      carried = text.endsWith('\r') ? '\r' : ''
      yield text.slice(0, text.length - carried.length).replace(/\r\n?/g, '\n')
    }
    const last = (carried + decoder.decode()).replace(/\r\n?/g, '\n')
    if (last) yield last
  } catch (error) {
    // The file has changed since it was looked at, or it is UTF-16 with half a character.
    if (error instanceof TypeError) throw invalid(file, decoder.encoding)
    throw error
  }
}

/** Bytes by which UTF-16 without a mark is told. */
const HEAD = 4096

/** Bytes in which a file may say what it is encoded in. */
const SAYING = 1024

async function encodingOf(file: TextFile, { encoding }: DecodeOptions): Promise<string> {
  const strict = new TextDecoder('utf-8', { fatal: true })
  let head: Uint8Array | undefined
  try {
    for await (const chunk of bytesOf(file)) {
      if (!head) {
        head = chunk
        const mark = Buffer.from(chunk.subarray(0, 2)).toString('latin1')
        // Its mark begins like that of UTF-16, as which it would be letters with NUL between.
        const longMark = Buffer.from(chunk.subarray(0, 4)).toString('latin1')
        if (longMark === '\xff\xfe\0\0' || longMark === '\0\0\xfe\xff') throw utf32(file)
        if (mark === '\xff\xfe') return 'utf-16le'
        if (mark === '\xfe\xff') return 'utf-16be'
        const unmarked = unmarkedUtf16(chunk.subarray(0, HEAD))
        if (unmarked) return unmarked
        if (encoding !== undefined && /^utf-?16/i.test(encoding)) return checkEncoding(encoding)
      }
      strict.decode(chunk, { stream: true })
    }
    strict.decode()
    return 'utf-8'
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    if (encoding !== undefined) return checkEncoding(encoding)
    const own = saidIn(Buffer.from(head!.subarray(0, SAYING)).toString('latin1'))
    const isWeb = /<meta|<\?xml/i.test(Buffer.from(head!.subarray(0, SAYING)).toString('latin1'))
    const known = own === undefined ? undefined : isWeb ? webEncoding(own) : knownEncoding(own)
    if (known !== undefined) return known
    throw invalid(file, own ?? 'utf-8')
  }
}

/** The encoding that HTML, XML and Python name at their start. */
function saidIn(head: string): string | undefined {
  const said =
    /<meta[^>]*charset=["']?\s*([\w-]+)/i.exec(head) ??
    /^<\?xml[^>]*encoding=["']([\w-]+)/i.exec(head) ??
    /^(?:.*\n)?[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)/.exec(head)
  return said?.[1] && /^utf-?8$/i.test(said[1]) ? undefined : said?.[1]
}

/**
 * The name of an encoding.
 * @throws PipiloError `OPTION_INVALID`
 */
export function checkEncoding(encoding: string): string {
  const known = knownEncoding(encoding)
  if (known !== undefined) return known
  throw new PipiloError('OPTION_INVALID', `'${encoding}' is no encoding that is known.`, {
    input: encoding,
    hint: 'Say for example latin1, windows-1251, shift_jis, gb18030, utf-16le.',
  })
}

function utf32({ id }: TextFile): PipiloError {
  return new PipiloError('TEXT_INVALID', `${id} is UTF-32, which is not read.`, {
    input: id,
    hint: 'Convert it to UTF-8: iconv -f UTF-32 -t UTF-8.',
  })
}

function invalid({ id }: TextFile, encoding: string): PipiloError {
  const name = encoding.toUpperCase()
  return new PipiloError('TEXT_INVALID', `${id} is not valid ${name}.`, {
    input: id,
    hint: 'Convert it, or say what it is (encoding: latin1 and the like).',
  })
}
