// Reads the passages of a text file, by its format.
import { extname } from 'node:path'
import { PipiloError } from '../../../base/index.ts'
import { codeBlocks, isCode } from './code.ts'
import { type DecodeOptions, type TextFile, textOf } from './decode.ts'
import { docxBlocks, pdfBlocks } from './documents.ts'
import { htmlBlocks } from './html.ts'
import { markdownBlocks } from './markdown.ts'
import { passagesOfBlocks } from './pack.ts'
import { plainBlocks } from './plain.ts'
import { type BadRow, jsonBlocks, parquetBlocks, tableBlocks } from './rows.ts'
import type { Block, Passage, PassageLength } from './types.ts'

/** Forms of files that have passages. */
export type PassageFormat = 'text' | 'pdf' | 'docx' | 'parquet'

export interface PassageOptions extends DecodeOptions {
  readonly length: PassageLength
  /** Columns of tables that are embedded. */
  readonly columns?: readonly string[]
}

/** UTF-16 units of a file that is read as a whole; of a longer one, paragraphs. */
const WHOLE = 16 << 20

/**
 * The passages of a file, in order.
 *
 * @throws PipiloError `TEXT_INVALID`, `FORMAT_INVALID`, `FORMAT_UNSUPPORTED`, `FILE_EMPTY` for one that holds no words
 */
export async function* passagesOf(
  file: TextFile,
  format: PassageFormat,
  options: PassageOptions,
): AsyncGenerator<Passage | BadRow> {
  let found = false
  const bad: BadRow[] = []
  const good = async function* () {
    for await (const block of blocksOf(file, format, options)) {
      if ('error' in block) bad.push(block)
      else yield block
    }
  }
  for await (const passage of passagesOfBlocks(good(), options.length)) {
    found = true
    yield* bad.splice(0)
    yield passage
  }
  found ||= bad.length > 0
  yield* bad
  if (!found) {
    throw new PipiloError('FILE_EMPTY', `${file.id} holds no words.`, {
      input: file.id,
      ...(format === 'pdf' && { hint: 'Its pages may be pictures of text.' }),
    })
  }
}

async function* blocksOf(
  file: TextFile,
  format: PassageFormat,
  options: PassageOptions,
): AsyncGenerator<Block | BadRow> {
  const { path, id } = file
  if (format === 'pdf') yield* pdfBlocks(path, id)
  else if (format === 'docx') yield* docxBlocks(path, id)
  else if (format === 'parquet') yield* parquetBlocks(path, id, options.columns)
  else {
    const ending = endingOf(file)
    if (ending === 'csv' || ending === 'tsv') yield* tableBlocks(file, ending, options)
    else if (ending === 'jsonl' || ending === 'ndjson') yield* jsonBlocks(file, options)
    else yield* textBlocks(file, ending, options)
  }
}

/** Blocks of text: of HTML, Markdown or code where it is not too long, else paragraphs. */
async function* textBlocks(file: TextFile, ending: string, options: PassageOptions): AsyncGenerator<Block> {
  let text = ''
  let line = 1
  let kind: 'html' | 'markdown' | 'code' | 'plain' | undefined
  for await (const piece of textOf(file, options)) {
    text += piece
    kind ??= kindOf(ending, text)
    if (kind === 'html' && text.length > WHOLE) {
      throw new PipiloError('FORMAT_UNSUPPORTED', `${file.id} is HTML of more than ${WHOLE >> 20} MB.`, {
        input: file.id,
      })
    }
    if (text.length <= (kind === 'plain' ? PIECE : WHOLE)) continue
    // Of a long file paragraphs are handed on as they come.
    kind = 'plain'
    const end = lastParagraph(text)
    if (end === 0) continue
    yield* plainBlocks(text.slice(0, end), { line })
    for (let at = text.indexOf('\n'); at >= 0 && at < end; at = text.indexOf('\n', at + 1)) line++
    text = text.slice(end)
  }
  if (text.startsWith('\ufeff')) text = text.slice(1)
  if (kind === 'html') yield* htmlBlocks(text, { id: file.id })
  else if (kind === 'markdown') yield* markdownBlocks(text, file.id)
  else if (kind === 'code') yield* codeBlocks(text, ending, options.length, file.id)
  else yield* plainBlocks(text, { line })
}

/** UTF-16 units after which paragraphs of a text are handed on. */
const PIECE = 1 << 20

/** Behind the last empty line, or of a text that has none for long, the last line. */
function lastParagraph(text: string): number {
  const empty = text.lastIndexOf('\n\n')
  if (empty > 0) return empty + 2
  return text.length > 4 * PIECE ? text.lastIndexOf('\n') + 1 || text.length : 0
}

function kindOf(ending: string, text: string): 'html' | 'markdown' | 'code' | 'plain' {
  if (
    /^(?:html?|xhtml)$/.test(ending) ||
    /^\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?:(?!-->)[\s\S])*-->\s*)*<(?:!doctype html|html)\b/i.test(text)
  )
    return 'html'
  if (/^(?:md|markdown|mdx|mkd)$/.test(ending)) return 'markdown'
  return isCode(ending) ? 'code' : 'plain'
}

/** The ending of a file's name, of a compressed one without `.gz`; in lower case, without the dot. */
function endingOf({ path, gzip }: TextFile): string {
  const name = gzip ? path.replace(/\.gz$/i, '') : path
  return extname(name).slice(1).toLowerCase()
}
