// Makes the plan that a session is opened from: the encoded graph, and the files of its weights.
import { dirname, resolve } from 'node:path'
import { cacheFolder } from '../../base/files/index.ts'
import { encodeOnnx, type Graph } from '../../graph/index.ts'
import { elementCount } from '../../tensor/index.ts'
import { lower } from '../lower/index.ts'
import type { CompileOptions } from '../types.ts'
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
    ...(profile && { profile }),
    ...(device !== 'cpu' && { device }),
  }
  return { plan, files }
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
