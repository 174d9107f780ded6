// Reads an ONNX file and leaves its weights where they are.
import { closeSync, fstatSync, openSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileError, fillSync } from '../../base/files/index.ts'
import { PipiloError } from '../../base/index.ts'
import { parseSource } from '../onnx/parse.ts'
import type { Source } from '../onnx/wire.ts'
import type { Graph } from '../types.ts'

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
    return parseSource(fileSource(absolute, file), stats.size, context)
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
