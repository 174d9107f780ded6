// Pass that replaces casts of float16 and bfloat16 weights by weights converted once.
import type { Initializer, Node } from '../../graph/index.ts'
import type { Lowered } from '../node/weights.ts'

/**
 * Takes the place of `Cast(initializer, to float32)` where the initializer is float16 or bfloat16: the converted weights
 * are mapped from a file. Otherwise each session would hold a float32 copy of its own (for MiniLM 90 MB).
 */
export function foldHalves({ graph, halves }: Lowered): Lowered {
  const outputs = new Set(graph.outputs.map((output) => output.name))
  const found = new Map<string, Initializer>()
  const nodes = graph.nodes.filter((node) => {
    const source = halfOf(node, graph.initializers)
    const [name = ''] = node.outputs
    if (!source || outputs.has(name)) return true
    found.set(name, source)
    return false
  })
  const initializers = new Map([...graph.initializers, ...found])
  return { graph: { ...graph, nodes, initializers }, halves: new Set([...halves, ...found.keys()]) }
}

function halfOf(node: Node, initializers: ReadonlyMap<string, Initializer>): Initializer | undefined {
  const { op, domain, attributes } = node
  if (op !== 'Cast' || domain !== '' || attributes.to?.value !== FLOAT) return undefined
  const source = initializers.get(node.inputs[0] ?? '')
  return source?.dtype === 'float16' || source?.dtype === 'bfloat16' ? source : undefined
}

/** `TensorProto.DataType` of float32. */
const FLOAT = 1
