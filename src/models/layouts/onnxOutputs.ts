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

/** Operators that only say a constant in other words. */
const restating = ['Identity', 'Transpose', 'Cast', 'Reshape', 'DequantizeLinear']

/** Input of the last linear layer before an output. Default: the first. */
export function belowHead(graph: Graph, output = graph.outputs[0]?.name ?? ''): string | undefined {
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)))
  const isConstant = (name: string): boolean => {
    if (graph.initializers.has(name)) return true
    const node = producers.get(name)
    if (node?.op === 'Constant') return true
    return (
      node !== undefined &&
      restating.includes(node.op) &&
      node.inputs.every((input) => input === '' || isConstant(input))
    )
  }
  let node = producers.get(output)
  while (node && afterHead.includes(node.op)) {
    const computed = node.inputs.filter((name) => !isConstant(name))
    // A sum of two computed values, as around a residual, is no bias.
    node = computed.length === 1 || node.op !== 'Add' ? producers.get(computed[0] ?? '') : undefined
  }
  if (node?.op !== 'Gemm' && node?.op !== 'MatMul') return undefined
  const [features, weight] = node.inputs
  // A product of two computed values, as in attention, is no layer.
  return weight !== undefined && isConstant(weight) ? features : undefined
}

/** Shape of a tensor, where the graph states it. */
export function shapeOf(info: ValueInfo | undefined): Shape | undefined {
  return info?.type?.kind === 'tensor' ? info.type.shape : undefined
}

/** Shapes of a graph's inputs, outputs and inner values by their names, where it states them. */
export function shapesOf(graph: Graph): (name: string) => Shape | undefined {
  const own = new Map([...graph.inputs, ...graph.outputs].map((info) => [info.name, info]))
  return (name) => shapeOf(own.get(name) ?? graph.values.get(name))
}

/** Length of the last axis, where it is known. */
export function lastSize(info: ValueInfo | undefined): number | undefined {
  const size = shapeOf(info)?.at(-1)
  return typeof size === 'number' ? size : undefined
}
