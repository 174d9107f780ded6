// Makes the plan that a session is opened from: the encoded graph, and the files of its weights.
import { dirname, resolve } from 'node:path'
import { cacheFolder } from '../../base/files/index.ts'
import { PipiloError } from '../../base/index.ts'
import { constantBytes, encodeOnnx, type Graph } from '../../graph/index.ts'
import { elementCount } from '../../tensor/index.ts'
import { lower } from '../lower/index.ts'
import type { CompileOptions } from '../types.ts'
import { memoryOf } from './counts.ts'
import type { Plan } from './engine.ts'
import { isFileTensor } from './piece.ts'
import { placeWeights } from './weights.ts'

/** The plan of the graph's session, and the files that hold its external weights. */
export async function planOf(
  graph: Graph,
  threads: number,
  options: CompileOptions,
): Promise<{ plan: Plan; files: ReadonlySet<string> }> {
  const { device = 'cpu' } = options
  checkConstants(graph)
  const lowered = options.lower === false ? { graph, halves: new Set<string>() } : lower(graph, device)
  const { graph: placed, folder } = await placeWeights(lowered, resolve(options.cacheDir ?? cacheFolder()))
  const files = new Set<string>()
  const model = encodeOnnx(placed, {
    external: (_, tensor) => {
      if (!isFileTensor(tensor) || dirname(tensor.file.path) !== folder) return undefined
      const { path, offset, length } = tensor.file
      files.add(path)
      return { location: path.slice(folder.length).replace(/^[\\/]/, ''), offset, length }
    },
  })
  const { profile } = options
  const plan: Plan = {
    model,
    threads,
    ...(folder && { folder }),
    isolate: memoryOf(options.isolate),
    ...(profile && { profile }),
    ...(device !== 'cpu' && { device }),
  }
  return { plan, files }
}

/** Bytes that a graph may make of its constants, beside a multiple of those that it stores (weights of 4 bits become floats). */
const MOST_COMPUTED = 2 ** 30
const TIMES = 16

/** @throws PipiloError `GRAPH_INVALID` for a graph that would fill the memory before it has run */
function checkConstants(graph: Graph): void {
  const { stored, computed } = constantBytes(graph)
  if (computed <= MOST_COMPUTED + TIMES * stored) return
  throw new PipiloError(
    'GRAPH_INVALID',
    `The graph makes ${computed} bytes of constants out of ${stored}, more than a session may take.`,
    { hint: 'Such a file is broken, or made to do harm.' },
  )
}

// Operators whose second input is a weight that the library packs, float16 and bfloat16 as float32.
const PACKING = new Set(['Conv', 'MatMul', 'Gemm'])

/** Bytes of the weights that optimising the graph copies into other layouts. */
export function packedBytes({ nodes, initializers }: Graph): number {
  const packed = nodes.filter(({ op }) => PACKING.has(op)).map(({ inputs }) => inputs[1] ?? '')
  return [...new Set(packed)].reduce(
    (sum, name) => sum + 4 * elementCount(initializers.get(name)?.shape ?? [0]),
    0,
  )
}
