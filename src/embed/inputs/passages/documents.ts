// Pages of PDF and paragraphs of DOCX, by libraries that are installed by those who need them.

import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, sep } from 'node:path'
import { PipiloError } from '../../../base/index.ts'
import { optional } from '../../optional.ts'
import { htmlBlocks } from './html.ts'
import { plainBlocks } from './plain.ts'
import type { Block } from './types.ts'
import { checkPdf, checkZip } from './unpacked.ts'

/** Text of a PDF, page by page: lines as they stand on it, paragraphs where there is space between them. */
export async function* pdfBlocks(path: string, id: string): AsyncGenerator<Block> {
  const { getDocument, VerbosityLevel } = await optional('pdfjs-dist', 'pdfjs-dist@5', 'PDF files', loadPdf)
  const folder = dirname(createRequire(import.meta.url).resolve('pdfjs-dist/package.json'))
  const bytes = await readFile(path)
  await checkPdf(bytes, id)
  const task = getDocument({
    data: new Uint8Array(bytes),
    verbosity: VerbosityLevel.ERRORS,
    isEvalSupported: false,
    useSystemFonts: false,
    cMapUrl: join(folder, 'cmaps') + sep,
    cMapPacked: true,
    standardFontDataUrl: join(folder, 'standard_fonts') + sep,
  })
  try {
    const document = await task.promise
    for (let page = 1; page <= document.numPages; page++) {
      const read = await document.getPage(page)
      const { items } = await read.getTextContent()
      const text = pageText(items.filter((item) => 'str' in item))
      for (const block of plainBlocks(text)) yield { ...block, page }
      read.cleanup()
    }
  } catch (cause) {
    const { name, message } = cause as Error
    throw name === 'PasswordException'
      ? new PipiloError('FORMAT_UNSUPPORTED', `${id} is a PDF document that asks for a password.`, {
          input: id,
          cause,
        })
      : new PipiloError('FORMAT_INVALID', `${id} is a damaged PDF document: ${message}`, { input: id, cause })
  } finally {
    await task.destroy()
  }
}

let loading: Promise<typeof import('pdfjs-dist/legacy/build/pdf.mjs')> | undefined

/** The library warns on standard output of what only drawing needs: an empty class of that name keeps it quiet. */
function loadPdf() {
  loading ??= (async () => {
    const global = globalThis as { DOMMatrix?: unknown; Path2D?: unknown; ImageData?: unknown }
    global.DOMMatrix ??= class DOMMatrix {}
    global.Path2D ??= class Path2D {}
    global.ImageData ??= class ImageData {}
    return import('pdfjs-dist/legacy/build/pdf.mjs')
  })()
  return loading
}

interface TextItem {
  readonly str: string
  readonly hasEOL: boolean
  readonly height: number
  readonly transform: readonly number[]
}

/** Space between lines, in heights of a line, that parts paragraphs. */
const PARAGRAPH = 1.8

function pageText(items: readonly TextItem[]): string {
  let text = ''
  let below: number | undefined
  for (const { str, hasEOL, height, transform } of items) {
    const at = transform[5]!
    const isFirst = text.endsWith('\n') && str.trim() !== ''
    if (isFirst && below !== undefined && Math.abs(below - at) > PARAGRAPH * Math.max(height, 1)) text += '\n'
    text += str
    if (str.trim() !== '') below = at
    if (hasEOL) text += '\n'
  }
  return text
}

/** Paragraphs, headings, items and rows of tables of a DOCX file. Their numbers stand in place of lines. */
export async function* docxBlocks(path: string, id: string): AsyncGenerator<Block> {
  const { default: mammoth } = await optional('mammoth', 'mammoth', 'DOCX files', () => import('mammoth'))
  let html: string
  const buffer = await readFile(path)
  await checkZip(buffer, id)
  try {
    ;({ value: html } = await mammoth.convertToHtml(
      { buffer },
      // Pictures are no text.
      { convertImage: mammoth.images.imgElement(async () => ({ src: '' })) },
    ))
  } catch (cause) {
    const { message } = cause as Error
    throw new PipiloError('FORMAT_INVALID', `${id} is no DOCX document that can be read: ${message}`, {
      input: id,
      cause,
    })
  }
  let line = 0
  for (const block of htmlBlocks(html, { id })) {
    line++
    yield { ...block, line, endLine: line }
  }
}
