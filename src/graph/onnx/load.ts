// Loads initializers into memory from the files where their bytes lie.
import { closeSync, openSync, readSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { fileError } from '../../base/files/index.ts'
import { closest, PipiloError } from '../../base/index.ts'
import { type Tensor, typedArray } from '../../tensor/index.ts'
import type { Graph, Initializer } from '../types.ts'
import type { FileRange } from './wire.ts'

const CHUNK = 4 << 20

/**
 * An initializer in memory: read from its file if it lies there.
 *
 * ```ts
 * const { data } = await loadTensor(graph.initializers.get('encoder.weight'))
 * ```
 *
 * @throws `FILE_NOT_FOUND`, `FILE_UNREADABLE`; `FORMAT_INVALID` if the file has become shorter
 */
export async function loadTensor(initializer: Initializer): Promise<Tensor> {
  if (!('file' in initializer)) return initializer
  const bytes = new Uint8Array(initializer.file.length)
  let at = 0
  for await (const chunk of streamRange(initializer.file)) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return inMemory(initializer, bytes)
}

/** {@link loadTensor} without waiting; blocks the thread while it reads. */
export function loadTensorSync(initializer: Initializer): Tensor {
  if (!('file' in initializer)) return initializer
  const bytes = new Uint8Array(initializer.file.length)
  readRangeSync(initializer.file, bytes)
  return inMemory(initializer, bytes)
}

function inMemory({ dtype, shape, carried }: Initializer, bytes: Uint8Array): Tensor {
  return { dtype, shape, data: typedArray(dtype, bytes), ...(carried && { carried }) }
}

/**
 * The initializer of a name, in memory.
 * @throws `PARAMETER_MISSING` if the graph has none of that name
 */
export async function tensorOf(graph: Graph, name: string): Promise<Tensor> {
  const initializer = graph.initializers.get(name)
  if (!initializer) {
    const near = closest(name, graph.initializers.keys())
    throw new PipiloError('PARAMETER_MISSING', `The graph has no initializer ${name}.`, {
      input: name,
      ...(near.length > 0 && { hint: `Did you mean ${near.join(' or ')}?` }),
    })
  }
  return loadTensor(initializer)
}

/** Fills `out` with the bytes of a range. */
export function readRangeSync(range: FileRange, out: Uint8Array): void {
  let file: number | undefined
  try {
    file = openSync(range.path, 'r')
    let filled = 0
    while (filled < range.length) {
      const wanted = Math.min(range.length - filled, 1 << 30)
      const got = readSync(file, out, filled, wanted, range.offset + filled)
      if (got === 0) throw tooShort(range)
      filled += got
    }
  } catch (error) {
    throw fileError(error, range.path, 'read')
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

/** The bytes of a range in pieces of some megabytes; a piece is valid until the next one is asked for. */
export async function* streamRange(range: FileRange): AsyncGenerator<Uint8Array> {
  const file = await open(range.path).catch((error: unknown) => {
    throw fileError(error, range.path, 'read')
  })
  try {
    const buffer = new Uint8Array(Math.min(CHUNK, range.length))
    for (let done = 0; done < range.length; ) {
      const wanted = Math.min(buffer.length, range.length - done)
      const { bytesRead } = await file.read(buffer, 0, wanted, range.offset + done)
      if (bytesRead === 0) throw tooShort(range)
      yield buffer.subarray(0, bytesRead)
      done += bytesRead
    }
  } finally {
    await file.close()
  }
}

function tooShort({ path, offset, length }: FileRange): PipiloError {
  return new PipiloError('FORMAT_INVALID', `${path} ends before byte ${offset + length}.`, {
    hint: 'It was changed after it was read: read the model again.',
    input: path,
  })
}
