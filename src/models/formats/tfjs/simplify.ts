// Pass over TensorFlow's nodes that merges a clipped ReLU into Relu6.
import type { NodeDef, NodeGraph } from './nodeDefs.ts'
import type { Weights } from './weights.ts'

/**
 * `max(min(relu(x), 6), 0)`, which some converters write, as the one operator Relu6, which runtimes merge into the convolution
 * before it and int8 takes the range of.
 */
export function simplified({ nodes, ...graph }: NodeGraph, weights: Weights): NodeGraph {
  const result = new Map(nodes)
  const isNumber = (name: string, number: number) =>
    nodes.get(name)?.op === 'Const' &&
    weights.shapeOf(name)?.length === 0 &&
    Number(weights.get(name)?.data[0]) === number
  /** The node that gives the first input of a node whose second is this number. */
  const limited = ({ inputs }: NodeDef, number: number): NodeDef | undefined => {
    const [first, second, ...more] = inputs
    if (!first || !second || more.length > 0 || first.output !== 0) return undefined
    return isNumber(second.node, number) ? result.get(first.node) : undefined
  }
  for (const node of nodes.values()) {
    const rectified = node.op === 'Minimum' ? limited(node, 6) : undefined
    if (rectified?.op === 'Relu') result.set(node.name, { ...node, op: 'Relu6', inputs: rectified.inputs })
  }
  for (const node of nodes.values()) {
    const clipped = node.op === 'Maximum' ? limited(node, 0) : undefined
    if (clipped?.op === 'Relu6') result.set(node.name, { ...node, op: 'Relu6', inputs: clipped.inputs })
  }
  return { ...graph, nodes: result }
}
