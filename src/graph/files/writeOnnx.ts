// Writes graphs as ONNX files, with weights inside or in a file beside.
import { rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileError, streamRange, temporaryName, writeFileAtomic } from '../../base/files/index.ts'
import { PipiloError } from '../../base/index.ts'
import { byteLength, bytesOf, elementCount } from '../../tensor/index.ts'
import { checkedLength, LARGEST } from '../onnx/encode.ts'
import type { ExternalLocation } from '../onnx/tensors.ts'
import { type Part, totalLength } from '../onnx/wire.ts'
import { modelParts } from '../onnx/write.ts'
import type { Graph, Initializer } from '../types.ts'

/** Weights below this many bytes stay in the model's own file. */
const SMALL = 1024

/** Larger tensors start on a page of memory, so that a runtime can map them. */
const PAGE = 4096

export interface WriteOptions {
  /**
   * A file beside the model for the weights: true, false, or its name. Default: only if the model is larger than 2 GB;
   * the name is then the model's with `.data` appended.
   */
  readonly externalData?: boolean | string
}

/**
 * Writes a graph as an ONNX file, or as one with `<name>.onnx.data` beside it.
 *
 * @example
 * ```ts
 * await writeOnnx(graph, 'embedding.onnx')
 * await writeOnnx(graph, 'large.onnx', { externalData: true })
 * ```
 *
 * @remarks
 * Weights are streamed from memory or from their files; what is written appears under its name only when it is whole.
 *
 * @throws `WRITE_FAILED`, `OPTION_INVALID`; `FILE_NOT_FOUND` or `FILE_UNREADABLE` for weights in a file
 */
export async function writeOnnx(graph: Graph, path: string, options: WriteOptions = {}): Promise<void> {
  const { externalData } = options
  const parts = externalData ? undefined : modelParts(graph)
  if (parts && (totalLength(parts) <= LARGEST || externalData === false)) {
    checkedLength(parts, graph.name)
    await writeFileAtomic(path, content(parts))
    return
  }
  const location = typeof externalData === 'string' ? externalData : `${basename(path)}.data`
  if (
    basename(location) !== location ||
    location === basename(path) ||
    location === '..' ||
    location === '.'
  ) {
    throw new PipiloError(
      'OPTION_INVALID',
      `externalData is the name of a file beside the model, not ${location}.`,
    )
  }
  const layout = new Map<Initializer, ExternalLocation>()
  let end = 0
  const model = modelParts(graph, (_, tensor) => {
    const known = layout.get(tensor)
    if (known || tensor.dtype === 'string') return known
    const length = byteLength(tensor.dtype, elementCount(tensor.shape))
    if (length < SMALL) return undefined
    const place = { location, offset: Math.ceil(end / PAGE) * PAGE, length }
    end = place.offset + length
    layout.set(tensor, place)
    return place
  })
  checkedLength(model, graph.name)
  const data = join(dirname(path), location)
  const temporary = temporaryName(data)
  try {
    await writeFileAtomic(temporary, dataParts(layout), { replaces: data })
    // Weights first: a model that is there always finds them.
    const whole = temporaryName(path)
    try {
      await writeFileAtomic(whole, content(model), { replaces: path })
      await rename(temporary, data)
      await rename(whole, path)
    } catch (error) {
      await rm(whole, { force: true })
      throw error
    }
  } catch (error) {
    await rm(temporary, { force: true })
    throw fileError(error, path, 'write')
  }
}

async function* content(parts: readonly Part[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    if (part instanceof Uint8Array) yield part
    else yield* streamRange(part)
  }
}

async function* dataParts(layout: ReadonlyMap<Initializer, ExternalLocation>): AsyncGenerator<Uint8Array> {
  let at = 0
  for (const [tensor, { offset, length }] of layout) {
    if (offset > at) yield new Uint8Array(offset - at)
    if ('file' in tensor) yield* streamRange(tensor.file)
    else if (ArrayBuffer.isView(tensor.data)) yield bytesOf(tensor.data)
    at = offset + length
  }
}
