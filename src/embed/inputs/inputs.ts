// Reads the inputs of files, folders, globs, addresses and standard input.
import { resolve } from 'node:path'
import { addAbortSignal } from 'node:stream'
import { fileError } from '../../base/files/index.ts'
import { breathe, checkOption, checkOptions, is, PipiloError, throwIfAborted } from '../../base/index.ts'
import type { InputModality } from '../../models/index.ts'
import { filePath } from '../pictures/imageSource.ts'
import { nameOfBytes } from './fileKinds.ts'
import { displayPath, type FoundFile, findFiles } from './inputFiles.ts'
import { readLines } from './inputLines.ts'
import { type Content, contentOfBytes, HEAD, hasPictureName, headOf } from './inputModality.ts'
import { bytesOf, checkEncoding, encoded, firstBytes, type TextFile, textOf } from './passages/decode.ts'
import { unmarkedUtf16 } from './passages/decoders.ts'
import { passageLength, roughLength } from './passages/length.ts'
import { type PassageFormat, passagesOf } from './passages/passages.ts'
import type { PassageLength } from './passages/types.ts'
import { pathsOf } from './pathsOf.ts'
import { isOfFile } from './problems.ts'
import { type ReadInputsOptions, readInputsOptionTypes } from './readOptions.ts'
import { spooled } from './spool.ts'

export type { ReadBy, ReadInputsOptions } from './readOptions.ts'

/** Something to embed, found by {@link readInputs}. */
export interface ReadInput {
  /** The relative path of a picture, `path#L12-L20` of a passage, `path:line` of a line of text, the URL of what is fetched. */
  readonly id: string
  /** The passage (behind the heading above it, where it does not begin with one) or line, the absolute path or URL of a picture, the path of a `.npy` file: what an embedder takes. */
  readonly input: string
  readonly modality: InputModality
  /** With `/`, relative to `root`; absolute for files outside it. Undefined for what is not a file. */
  readonly path?: string
  /** Of a text, its first line, counted from 1: of a DOCX file its paragraph, of a Parquet file its row, of a PDF the line on its page. */
  readonly line?: number
  /** Of a passage, its last line. */
  readonly endLine?: number
  /** Of a passage of a PDF, its page. */
  readonly page?: number
  /** Of a passage, the headings above it. */
  readonly heading?: string
  /** Of a passage, its words without the headings above. */
  readonly text?: string
  /** Bytes of the file. */
  readonly size?: number
  /** When the file was last changed. */
  readonly modified?: Date
  /** Found in a folder or by a glob, rather than named. */
  readonly found?: boolean
  /** Why it cannot be read. `FORMAT_UNSUPPORTED`: it is neither text nor a picture nor a `.npy` file. */
  readonly error?: PipiloError
}

/** See `readInputs` in onDemand.ts. */
export function readInputs(
  specs: string | Iterable<string> | AsyncIterable<string>,
  options: ReadInputsOptions = {},
): AsyncGenerator<ReadInput> {
  return inputsOf(specs, options, false)
}

/** See `findInputs` in onDemand.ts. */
export function findInputs(
  specs: string | Iterable<string> | AsyncIterable<string>,
  options: ReadInputsOptions = {},
): AsyncGenerator<ReadInput> {
  return inputsOf(specs, options, true)
}

/** @param whole text files are not read, but found */
async function* inputsOf(
  specs: string | Iterable<string> | AsyncIterable<string>,
  options: ReadInputsOptions,
  whole: boolean,
): AsyncGenerator<ReadInput> {
  checkOptions<ReadInputsOptions>('readInputs', options, readInputsOptionTypes)
  const { signal } = options
  const cwd = resolve(options.cwd ?? '.')
  if (options.encoding !== undefined) checkEncoding(options.encoding)
  const reader = new FileReader(resolve(cwd, options.root ?? '.'), options, whole)
  for await (const spec of pathsOf(specs)) {
    throwIfAborted(signal)
    checkOption('path', spec, is.name)
    if (spec === '-') {
      if (options.by === 'passage') {
        throw new PipiloError('OPTION_INVALID', 'Standard input is read by line, not by passage.', {
          input: 'by',
          hint: 'Name a file for passages.',
        })
      }
      if (whole) yield { id: '-', input: '-', modality: 'text' }
      else yield* linesOf(options.stdin ?? standardInput(signal), { id: '-' }, signal)
    } else if (/^https?:\/\//i.test(spec)) {
      yield { id: spec, input: spec, modality: 'image' }
    } else {
      const named = namedBy(spec)
      if (named instanceof PipiloError) {
        yield { id: spec, input: spec, modality: hasPictureName(spec) ? 'image' : 'text', error: named }
        continue
      }
      for await (const file of findFiles(named, cwd)) {
        throwIfAborted(signal)
        yield* reader.read(file)
      }
    }
  }
}

/** The path of a `file:` URL, or why it has none; anything else as it is. */
function namedBy(spec: string): string | PipiloError {
  if (!/^file:/i.test(spec)) return spec
  try {
    return filePath(spec)
  } catch (error) {
    return error as PipiloError
  }
}

/** Standard input, which an abort ends even while nobody types. */
const standardInput = (signal: AbortSignal | undefined) =>
  signal ? addAbortSignal(signal, process.stdin) : process.stdin

/** Files that hold words. */
type WordFormat = PassageFormat | 'gzip'

/** Reads files as the options say. */
class FileReader {
  readonly #root: string
  readonly #options: ReadInputsOptions
  readonly #whole: boolean
  #length: Promise<PassageLength> | undefined

  constructor(root: string, options: ReadInputsOptions, whole: boolean) {
    this.#root = root
    this.#options = options
    this.#whole = whole
  }

  async *read(file: FoundFile): AsyncGenerator<ReadInput> {
    const { as, signal, embedder, by = 'passage' } = this.#options
    const { found, size, modified, special } = file
    const id = displayPath(file.path, this.#root)
    let { path } = file
    const about = () => ({ id, path: id, input: path, found, ...(modified && { size: size ?? 0, modified }) })
    const guess = as ?? (hasPictureName(path) ? 'image' : 'text')
    try {
      if (file.error) throw file.error
      if (special) path = await spooled(file.path, { keep: this.#whole, signal })
      const format = await formatOf(path, id, size ?? 0, this.#options)
      const modality = format === 'image' || format === 'tensor' ? format : 'text'
      // Whole, as it is of no use to the embedder.
      const refused = embedder && embedder.modality !== 'text-image' && embedder.modality !== modality
      if (format === 'image' || format === 'tensor' || refused || this.#whole)
        yield { ...about(), ...(this.#whole && { input: file.path }), modality }
      else if (by === 'passage') yield* this.#passages(format, about())
      else yield* this.#lines(format, about())
    } catch (error) {
      throwIfAborted(signal)
      // Of the options or the model, rather than of this file.
      if (error instanceof PipiloError && !isOfFile(error) && error.code !== 'INPUT_INVALID') throw error
      yield { ...about(), modality: guess, error: fileError(error, id, 'read') }
    }
  }

  async *#passages(format: WordFormat, about: About): AsyncGenerator<ReadInput> {
    const { signal, columns, encoding } = this.#options
    this.#length ??= this.#measure()
    const file = { path: about.input, id: about.id, gzip: format === 'gzip' }
    const options = {
      length: await this.#length,
      ...(columns && { columns }),
      ...(encoding !== undefined && { encoding }),
    }
    let last = ''
    let times = 0
    for await (const each of passagesOf(file, format === 'gzip' ? 'text' : format, options)) {
      const pause = breathe()
      if (pause) await pause
      throwIfAborted(signal)
      if ('error' in each) {
        yield {
          ...about,
          id: `${about.id}#L${each.line}`,
          line: each.line,
          input: '',
          modality: 'text',
          error: each.error,
        }
        continue
      }
      const place = placeOf(each)
      times = place === last ? times + 1 : 1
      last = place
      const id = `${about.id}#${place}${times > 1 ? `.${times}` : ''}`
      const { lead, ...passage } = each
      const input = lead === undefined ? each.text : `${lead}\n${each.text}`
      yield { ...about, ...passage, id, input, modality: 'text' }
    }
  }

  #measure(): Promise<PassageLength> {
    const { embedder, chunk, prompt } = this.#options
    return embedder ? passageLength(embedder, { chunk, prompt }) : Promise.resolve(roughLength(chunk))
  }

  async *#lines(format: WordFormat, about: About): AsyncGenerator<ReadInput> {
    const { signal, encoding } = this.#options
    const { id, input: path } = about
    if (format !== 'text' && format !== 'gzip') {
      const name = { pdf: 'a PDF document', docx: 'a DOCX document', parquet: 'a Parquet file' }[format]
      throw new PipiloError('FORMAT_UNSUPPORTED', `${id} is ${name}, which has no lines.`, {
        input: id,
        hint: 'Read it by passage.',
      })
    }
    const file = { path, id, gzip: format === 'gzip' }
    const plain = await hasPlainLines(file, encoding)
    const source = plain ? bytesOf(file) : encoded(textOf(file, encoding === undefined ? {} : { encoding }))
    yield* linesOf(source, about, signal)
  }
}

/** A file, as its inputs tell of it. */
type About = Omit<ReadInput, 'modality'>

/** `L12-L20`, or `page=3:L1-L9`. */
function placeOf({ line, endLine, page }: { line: number; endLine: number; page?: number }): string {
  const lines = endLine > line ? `L${line}-L${endLine}` : `L${line}`
  return page === undefined ? lines : `page=${page}:${lines}`
}

/** Bytes of a text in which CR alone is looked for as the end of lines. */
const SAMPLE = 1 << 16

/** True if lines can be cut before they are decoded: one that is not UTF-8 then spoils no other. */
async function hasPlainLines(file: TextFile, encoding: string | undefined): Promise<boolean> {
  if (encoding !== undefined) return false
  const bytes = await firstBytes(file, SAMPLE)
  if (unmarkedUtf16(bytes)) return false
  const head = Buffer.from(bytes).toString('latin1')
  return !/^(?:\xff\xfe|\xfe\xff)/.test(head) && (head.includes('\n') || !/\r(?!$)/.test(head))
}

async function formatOf(
  path: string,
  id: string,
  size: number,
  { as, encoding }: ReadInputsOptions,
): Promise<WordFormat | 'image' | 'tensor'> {
  if (size === 0) throw new PipiloError('FILE_EMPTY', `${id} is empty.`, { input: id })
  if (as === 'image' || as === 'tensor') return as
  const head = await headOf(path)
  const content = contentOfBytes(head)
  if ((content === 'image' || content === 'tensor') && as !== 'text') return content
  // TGA has no signature.
  if (content === 'other' && /\.tga$/i.test(path) && as !== 'text') return 'image'
  if (hasPictureName(path) && as !== 'text') throw noPicture(id, content, head)
  if (content === 'pdf' || content === 'parquet') return content
  if (content === 'zip' && /\.docx$/i.test(path)) return 'docx'
  if (content === 'gzip') {
    const inner = await firstBytes({ path, id, gzip: true }, HEAD)
    const held = contentOfBytes(inner)
    if (held === 'text' || held === 'utf-16' || as === 'text') return 'gzip'
    throw unread(
      id,
      held === 'image'
        ? 'a compressed picture'
        : `${nameOfBytes(inner) ?? 'data of an unknown kind'}, compressed`,
    )
  }
  if (as === 'text' || content === 'text' || content === 'utf-16') return 'text'
  // Without a mark, UTF-16 looks like no text.
  if (content === 'other' && /^utf-?16/i.test(encoding ?? '')) return 'text'
  const name = nameOfBytes(head)
  throw name === undefined
    ? new PipiloError(
        'FORMAT_UNSUPPORTED',
        `${id} is neither text nor a picture nor an array of numbers (.npy).`,
        {
          input: id,
        },
      )
    : unread(id, name)
}

const unread = (id: string, name: string): PipiloError =>
  new PipiloError('FORMAT_UNSUPPORTED', `${id} is ${name}, which is not read.`, { input: id })

function noPicture(id: string, content: Content, head: Uint8Array): PipiloError {
  const name = nameOfBytes(head)
  const isText = content === 'text' || content === 'utf-16'
  const holds = isText ? 'holds text' : name ? `is ${name}, which is not read` : 'holds none that can be read'
  return new PipiloError('IMAGE_INVALID', `${id} is named like a picture, but ${holds}.`, {
    input: id,
    ...(isText && { hint: 'To read it as text, say so (as: text).' }),
  })
}

async function* linesOf(
  source: AsyncIterable<Uint8Array | string>,
  about: Omit<ReadInput, 'input' | 'modality'>,
  signal: AbortSignal | undefined,
): AsyncGenerator<ReadInput> {
  for await (const { line, text, problem } of readLines(source)) {
    throwIfAborted(signal)
    const id = `${about.id}:${line}`
    if (text !== undefined) {
      yield { ...about, id, line, input: text, modality: 'text' }
      continue
    }
    const error = new PipiloError('TEXT_INVALID', `Line ${line} of ${about.id} ${problem}.`, {
      input: id,
      hint: 'Convert it to UTF-8, or say what it is (encoding: latin1 and the like).',
    })
    yield { ...about, id, line, input: '', modality: 'text', error }
  }
}
