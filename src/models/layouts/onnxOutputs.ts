// Finds the values of a foreign graph that are of use.
import type { Graph, Shape, ValueInfo } from '../../graph/index.ts'

/** Operators that may stand between a classifier's last linear layer and its output. */
const afterHead = [
  'Add',
  'Softmax',
  'LogSoftmax',
  'Sigmoid',
  'Identity',
  'Cast',
  'Flatten',
  'Reshape',
  'Squeeze',
]

/** Input of the last linear layer before the first output. */
export function belowHead(graph: Graph): string | undefined {
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)))
  let node = producers.get(graph.outputs[0]?.name ?? '')
  while (node && afterHead.includes(node.op)) {
    node = node.inputs.map((name) => producers.get(name)).find((producer) => producer !== undefined)
  }
  if (node?.op !== 'Gemm' && node?.op !== 'MatMul') return undefined
  const [features, weight] = node.inputs
  // A product of two computed values, as in attention, is no layer.
  return weight !== undefined && graph.initializers.has(weight) ? features : undefined
}

/** Shape of a tensor, where the graph states it. */
export function shapeOf(info: ValueInfo | undefined): Shape | undefined {
  return info?.type?.kind === 'tensor' ? info.type.shape : undefined
}

/** Length of the last axis, where it is known. */
export function lastSize(info: ValueInfo | undefined): number | undefined {
  const size = shapeOf(info)?.at(-1)
  return typeof size === 'number' ? size : undefined
}
