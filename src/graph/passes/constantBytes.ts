// Size of what a graph computes from nothing but constants.
import { bytesPerElement, elementCount } from '../../tensor/index.ts'
import { inferFacts } from '../inference/infer.ts'
import type { Graph, Initializer } from '../types.ts'
import { reads } from './walk.ts'

/**
 * Bytes of the values that depend on no input, as far as shapes tell: a runtime computes them when a session is made, and a few numbers
 * may ask for any size.
 *
 * @example
 * ```ts
 * constantBytes(graph)   // { stored: 90_000_000, computed: 1024 }
 * ```
 *
 * @returns those that are stored, and those that are computed from them
 */
export function constantBytes(graph: Graph): { readonly stored: number; readonly computed: number } {
  const constants = new Set([...graph.initializers.keys(), ...graph.sparseInitializers.keys()])
  for (const { name } of graph.inputs) constants.delete(name)
  const names: string[] = []
  for (const node of graph.nodes) {
    if (!reads(node).every((name) => constants.has(name))) continue
    for (const name of node.outputs) {
      constants.add(name)
      if (node.op !== 'Constant') names.push(name)
    }
  }
  const stored = [...graph.initializers.values()].reduce((sum, tensor) => sum + bytesOf(tensor), 0)
  if (names.length === 0) return { stored, computed: 0 }
  const facts = inferFacts(graph)
  const computed = names.reduce((sum, name) => {
    const type = facts.get(name)?.type
    if (type?.kind !== 'tensor' || !type.shape?.every((size) => typeof size === 'number')) return sum
    return sum + bytesOf({ dtype: type.dtype, shape: type.shape as readonly number[] })
  }, 0)
  return { stored, computed }
}

function bytesOf({ dtype, shape }: Pick<Initializer, 'dtype' | 'shape'>): number {
  return elementCount(shape) * (dtype === 'string' ? 1 : bytesPerElement(dtype))
}
