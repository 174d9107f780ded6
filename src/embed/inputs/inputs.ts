// Reads the inputs of files, folders, globs, addresses and standard input.
import { resolve } from 'node:path'
import { addAbortSignal } from 'node:stream'
import { fileError } from '../../base/files/index.ts'
import { PipiloError, throwIfAborted } from '../../base/index.ts'
import type { InputModality } from '../../models/index.ts'
import { filePath } from '../pictures/imageSource.ts'
import { displayPath, findFiles } from './inputFiles.ts'
import { readLines } from './inputLines.ts'
import { contentOf, hasPictureName } from './inputModality.ts'

export interface ReadInputsOptions {
  /** Takes every file for text (a row a line), for a picture, or for an array of numbers (`.npy`). Default: decided by its content. */
  readonly as?: InputModality
  /** Folder that paths and ids are relative to. Default: the working directory. */
  readonly cwd?: string
  /** Source of the lines of `-`. Default: standard input. */
  readonly stdin?: AsyncIterable<Uint8Array | string>
  readonly signal?: AbortSignal
}

/** Something to embed, found by {@link readInputs}. */
export interface ReadInput {
  /** The relative path of a picture, `path:line` of a line of text, the URL of what is fetched. */
  readonly id: string
  /** The line, or the absolute path or URL of a picture, the path of a `.npy` file: what an embedder takes. */
  readonly input: string
  readonly modality: InputModality
  /** With `/`, relative to `cwd`; absolute for files outside it. Undefined for what is not a file. */
  readonly path?: string
  /** Counted from 1. */
  readonly line?: number
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
export async function* readInputs(
  specs: string | Iterable<string> | AsyncIterable<string>,
  options: ReadInputsOptions = {},
): AsyncGenerator<ReadInput> {
  const { signal } = options
  const cwd = resolve(options.cwd ?? '.')
  for await (const spec of typeof specs === 'string' ? [specs] : specs) {
    throwIfAborted(signal)
    if (spec === '-') {
      yield* linesOf(options.stdin ?? standardInput(signal), { id: '-' }, signal)
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
        yield* readFile(file.path, cwd, file, options)
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

async function* readFile(
  path: string,
  cwd: string,
  file: { found: boolean; size?: number; modified?: Date; error?: PipiloError },
  { as, signal }: ReadInputsOptions,
): AsyncGenerator<ReadInput> {
  const id = displayPath(path, cwd)
  const { found, size, modified } = file
  const about = { id, path: id, input: path, found, ...(modified && { size: size ?? 0, modified }) }
  const guess = as ?? (hasPictureName(path) ? 'image' : 'text')
  try {
    if (file.error) throw file.error
    const modality = await modalityOf(path, id, size ?? 0, as)
    if (modality !== 'text') yield { ...about, modality }
    else yield* linesOf(path, about, signal)
  } catch (error) {
    throwIfAborted(signal)
    yield { ...about, modality: guess, error: fileError(error, id, 'read') }
  }
}

async function modalityOf(
  path: string,
  id: string,
  size: number,
  as: InputModality | undefined,
): Promise<InputModality> {
  if (size === 0) {
    throw new PipiloError('FILE_EMPTY', `${id} is empty.`, { input: id })
  }
  if (as) return as
  const content = await contentOf(path)
  if (content === 'image' || content === 'tensor') return content
  if (hasPictureName(path)) {
    const holds = content === 'text' ? 'holds text' : 'holds none that can be read'
    throw new PipiloError('IMAGE_INVALID', `${id} is named like a picture, but ${holds}.`, {
      input: id,
      ...(content === 'text' && { hint: 'To read it as text, say so (as: text).' }),
    })
  }
  if (content === 'text') return 'text'
  if (content === 'utf-16') {
    throw new PipiloError('TEXT_INVALID', `${id} is UTF-16 text.`, {
      input: id,
      hint: 'Convert it to UTF-8.',
    })
  }
  throw new PipiloError(
    'FORMAT_UNSUPPORTED',
    `${id} is neither text nor a picture nor an array of numbers (.npy).`,
    { input: id },
  )
}

async function* linesOf(
  source: string | AsyncIterable<Uint8Array | string>,
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
      hint: 'Text has to be UTF-8, a row a line.',
    })
    yield { ...about, id, line, input: '', modality: 'text', error }
  }
}
