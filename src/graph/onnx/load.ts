// Loads initializers into memory from the files where their bytes lie.
import { closest, PipiloError, rangeReader } from '../../base/index.ts'
import { type Tensor, typedArray } from '../../tensor/index.ts'
import type { Graph, Initializer } from '../types.ts'

/**
 * An initializer in memory: read from its file if it lies there.
 *
 * @example
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
  for await (const chunk of rangeReader().stream(initializer.file)) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return inMemory(initializer, bytes)
}

/** {@link loadTensor} without waiting; blocks the thread while it reads. */
export function loadTensorSync(initializer: Initializer): Tensor {
  if (!('file' in initializer)) return initializer
  const bytes = new Uint8Array(initializer.file.length)
  rangeReader().readSync(initializer.file, bytes)
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
