// Reads ONNX models from bytes and from files, and names what is wrong with those that are none.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileError } from '../../base/files/index.ts'
import { PipiloError } from '../../base/index.ts'
import type { Graph } from '../types.ts'
import { readModel } from './read.ts'
import type { ReadContext } from './tensors.ts'
import { memorySource, type Source } from './wire.ts'

/** Options of {@link parseOnnx}. */
export interface ParseOptions {
  /** Folder of external data. Without it a model that has any is refused. */
  readonly directory?: string
  /** Name of the model in errors. Default: `the model`. */
  readonly name?: string
}

/**
 * Reads an ONNX model that is in memory.
 *
 * ```ts
 * const graph = parseOnnx(await response.bytes())
 * ```
 *
 * Tensors share the memory of `bytes` where they are aligned. Source: onnx.proto, IR version 14.
 * @throws `FILE_EMPTY`, `FORMAT_INVALID`, `FORMAT_UNSUPPORTED`; `FILE_NOT_FOUND` for external data
 */
export function parseOnnx(bytes: Uint8Array, options: ParseOptions = {}): Graph {
  const name = options.name ?? 'the model'
  const directory = options.directory === undefined ? undefined : resolve(options.directory)
  return parse(memorySource(bytes), bytes.length, { name, directory, path: undefined })
}

/**
 * Reads an ONNX file, without its weights.
 *
 * ```ts
 * const graph = await readOnnx('model.onnx')
 * ```
 *
 * Tensors of more than 64 kB stay in the file, and so does external data: they become `FileTensor`s, so the files must
 * stay as they are while the graph is in use; `loadTensor` reads one. External data must lie in the model's folder.
 * @throws `FILE_NOT_FOUND`, `NOT_A_FILE`, `FILE_UNREADABLE`, `FILE_EMPTY`, `FORMAT_INVALID`, `FORMAT_UNSUPPORTED`
 */
export async function readOnnx(path: string): Promise<Graph> {
  const absolute = resolve(path)
  let file: number | undefined
  try {
    file = openSync(absolute, 'r')
    const stats = fstatSync(file)
    if (stats.isDirectory()) {
      throw new PipiloError('NOT_A_FILE', `Cannot read ${path}: it is a folder, not a file.`, {
        hint: 'Name the .onnx file in it.',
        input: path,
      })
    }
    const context = { name: path, directory: dirname(absolute), path: absolute }
    return parse(fileSource(absolute, file), stats.size, context)
  } catch (error) {
    throw fileError(error, path, 'read')
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

const WINDOW = 262_144

/** A file as a source; small reads that follow each other share one read of the disk. */
function fileSource(path: string, file: number): Source {
  let window = new Uint8Array()
  let from = 0
  const load = (start: number, length: number) => {
    const bytes = new Uint8Array(length)
    let filled = 0
    while (filled < length) {
      const got = readSync(file, bytes, filled, length - filled, start + filled)
      if (got === 0) break
      filled += got
    }
    return bytes.subarray(0, filled)
  }
  return {
    path,
    transient: true,
    read(start, end) {
      if (end - start > WINDOW) return load(start, end - start)
      if (start < from || end > from + window.length) {
        window = load(start, WINDOW)
        from = start
      }
      return window.subarray(start - from, end - from)
    },
  }
}

function parse(source: Source, length: number, context: ReadContext): Graph {
  if (length === 0) throw new PipiloError('FILE_EMPTY', `${context.name} is empty.`, { input: context.name })
  try {
    return readModel({ source, start: 0, end: length, depth: 0 }, context)
  } catch (error) {
    if (error instanceof PipiloError || (error instanceof Error && 'code' in error && 'syscall' in error))
      throw error
    const start = new TextDecoder('latin1').decode(source.read(0, Math.min(length, 512)))
    const reason = error instanceof Error ? error.message : String(error)
    const { what, hint } = describe(start, reason)
    throw new PipiloError('FORMAT_INVALID', `${context.name} is no valid ONNX model: ${what}.`, {
      hint,
      input: context.name,
      cause: error,
    })
  }
}

/** The probable kind of a file that is no ONNX model, from its first characters. */
function describe(start: string, reason: string): { what: string; hint: string } {
  if (start.startsWith('version https://git-lfs')) {
    return {
      what: 'it is a Git LFS pointer, not the file itself',
      hint: 'Run `git lfs pull`, or download the file.',
    }
  }
  if (/^\s*<(!doctype|html|\?xml)/i.test(start)) {
    return { what: 'it is a web page', hint: 'Download the file itself, not the page that shows it.' }
  }
  if (/^[\t\n\r\x20-\x7e]+$/.test(start)) return { what: 'it is text', hint: 'Check the path.' }
  if (start.startsWith('PK'))
    return { what: 'it is a zip archive (perhaps a PyTorch file)', hint: 'Check the path.' }
  return { what: reason, hint: 'It may be cut off or damaged: download it again.' }
}
