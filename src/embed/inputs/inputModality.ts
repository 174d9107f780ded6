// Tells texts, pictures and arrays of numbers apart by the first bytes of a file, or by its name.
import { extname } from 'node:path'
import { readHead } from '../../base/files/index.ts'
import { rarerSignatures } from '../pictures/formats/signatures.ts'
import { unmarkedUtf16 } from './passages/decoders.ts'

/** Bytes of a file that are looked at. */
export const HEAD = 4096

/** True if a file's name says that it is a picture. */
export function hasPictureName(path: string): boolean {
  return pictureEndings.has(extname(path).toLowerCase())
}

const pictureEndings = new Set(
  '.jpg .jpeg .jpe .png .apng .webp .avif .gif .svg .tif .tiff .bmp .heic .heif .jxl .jp2 .j2k .j2c .jpc .jpf .jpx .ico .cur .ppm .pgm .pbm .pnm .qoi .tga'.split(
    ' ',
  ),
)

/** Kinds of content that first bytes tell. */
export type Content = 'text' | 'image' | 'tensor' | 'utf-16' | 'pdf' | 'zip' | 'gzip' | 'parquet' | 'other'

/** Kind of a file by its first bytes. Text that turns out not to be UTF-8 further on is still text here. */
export async function contentOf(path: string): Promise<Content> {
  return contentOfBytes(await headOf(path))
}

/** The first bytes of a file, enough to tell what it holds. */
export const headOf = (path: string): Promise<Uint8Array> => readHead(path, HEAD)

/** As {@link contentOf}, of the first bytes themselves. */
export function contentOfBytes(head: Uint8Array): Content {
  const latin = Buffer.from(head).toString('latin1')
  if (latin.startsWith('\x93NUMPY')) return 'tensor'
  if (signatures.some((signature) => signature.test(latin))) return 'image'
  if (/^(?:\xff\xfe|\xfe\xff)/.test(latin)) return 'utf-16'
  if (latin.startsWith('%PDF-')) return 'pdf'
  if (latin.startsWith('PK\x03\x04')) return 'zip'
  if (latin.startsWith('\x1f\x8b')) return 'gzip'
  if (latin.startsWith('PAR1')) return 'parquet'
  if (unmarkedUtf16(head)) return 'utf-16'
  // Control characters that text does not have: all but tab, the ends of lines and pages, and escape.
  if (hasControls.test(latin)) return 'other'
  return svg.test(latin.replace(/^\xef\xbb\xbf/, '')) ? 'image' : 'text'
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these very characters tell binary files from text.
const hasControls = /[\0-\x08\x0e-\x1a\x1c-\x1f\x7f]/

/** An `<svg` element after nothing but a declaration, comments and a document type. */
const svg =
  /^\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?:(?!-->)[\s\S])*-->\s*|<!DOCTYPE[^>[]*(?:\[[^\]]*\])?\s*>\s*)*<svg[\s/>]/i

/** The magic numbers of the formats, as their specifications give them. */
const signatures = [
  /^\xff\xd8\xff/, // JPEG
  /^\x89PNG\r\n/,
  /^GIF8[79]a/,
  /^RIFF[\s\S]{4}WEBP/,
  /^[\s\S]{4}ftyp(?:avif|avis|heic|heix|heim|heis|hevc|mif1|msf1)/,
  /^(?:II\x2a\0|MM\0\x2a)/, // TIFF
  ...rarerSignatures,
  // biome-ignore lint/suspicious/noControlCharactersInRegex: part of the magic number.
  /^\0\0\0\x0cJXL \r\n/,
]
