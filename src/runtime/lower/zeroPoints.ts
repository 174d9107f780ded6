// Pass: zero points of weights in bytes are written out, for each node its own.
import type { Initializer, Node } from '../../graph/index.ts'
import { tensor } from '../../tensor/index.ts'
import type { Lowered } from '../node/weights.ts'

/**
 * Gives each `DequantizeLinear` of int8 weights its own zero points: 0 where they are left out beside a scale a channel, a copy where it shares them.
 *
 * Where products of bytes would saturate, the runtime makes unsigned weights of signed ones. It then adds one zero point where none is given, which its
 * own check refuses beside several scales, and fails where two nodes share theirs.
 */
export function writeZeroPoints({ graph, halves }: Lowered): Lowered {
  const added = new Map<string, Initializer>()
  const seen = new Set<string>()
  const fresh = (value: Initializer): string => {
    let name = `zero points ${added.size}`
    while (graph.initializers.has(name) || graph.values.has(name)) name += '_'
    added.set(name, value)
    return name
  }
  const nodes = graph.nodes.map((node): Node => {
    const [weight = '', scale = '', zeroPoint = ''] = node.inputs
    if (node.op !== 'DequantizeLinear' || node.domain !== '') return node
    if (graph.initializers.get(weight)?.dtype !== 'int8') return node
    const given = graph.initializers.get(zeroPoint)
    const isShared = given !== undefined && seen.has(zeroPoint)
    seen.add(zeroPoint)
    const shape = graph.initializers.get(scale)?.shape
    if (isShared) return { ...node, inputs: [weight, scale, fresh(given)] }
    if (zeroPoint !== '' || shape?.length !== 1) return node
    return { ...node, inputs: [weight, scale, fresh(tensor('int8', shape, new Int8Array(shape[0]!)))] }
  })
  if (added.size === 0) return { graph, halves }
  return { graph: { ...graph, nodes, initializers: new Map([...graph.initializers, ...added]) }, halves }
}
