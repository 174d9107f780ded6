// Reads an ONNX file and leaves its weights where they are.
import { closeSync, fstatSync, openSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileError, fillSync } from '../../base/files/index.ts'
import { PipiloError } from '../../base/index.ts'
import { type ParseOptions as Options, parseSource } from '../onnx/parse.ts'
import { memorySource, type Source } from '../onnx/wire.ts'
import type { Graph } from '../types.ts'
import { externalFile } from './externalFile.ts'

/** Options of {@link parseOnnx}. */
export interface ParseOptions extends Options {
  /** Folder of external data. Without it a model that has any is refused. */
  readonly directory?: string
}

/**
 * Reads an ONNX model that is in memory, and may have its weights in a folder.
 *
 * @example
 * ```ts
 * const graph = parseOnnx(await response.bytes())
 * ```
 *
 * @remarks
 * Tensors share the memory of `bytes` where they are aligned. Source: onnx.proto, IR version 14.
 *
 * @throws `FILE_EMPTY`, `FORMAT_INVALID`, `FORMAT_UNSUPPORTED`; `FILE_NOT_FOUND` for external data
 */
export function parseOnnx(bytes: Uint8Array, options: ParseOptions = {}): Graph {
  const { directory, name = 'the model' } = options
  const locate =
    directory === undefined
      ? undefined
      : (what: string, location: string) => externalFile(what, location, directory, undefined)
  return parseSource(memorySource(bytes), bytes.length, { name, locate })
}

/**
 * Reads an ONNX file, without its weights.
 *
 * @example
 * ```ts
 * const graph = await readOnnx('model.onnx')
 * ```
 *
 * @remarks
 * Tensors of more than 64 kB stay in the file, and so does external data: they become `FileTensor`s, so the files must
 * stay as they are while the graph is in use; `loadTensor` reads one. External data must lie in the model's folder.
 *
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
    const locate = (what: string, location: string) =>
      externalFile(what, location, dirname(absolute), absolute)
    return parseSource(fileSource(absolute, file), stats.size, { name: path, locate })
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
    return bytes.subarray(0, fillSync(file, bytes, start))
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
