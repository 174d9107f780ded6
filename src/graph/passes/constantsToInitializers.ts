// Pass that makes initializers of the weights that stand in `Constant` nodes.
import type { Graph, Initializer, Node } from '../types.ts'
import { mapSubgraphs, subgraphs } from './walk.ts'

/**
 * The graph whose tensors of floats in `Constant` nodes are initializers of the same names, in sub-graphs too.
 *
 * @example
 * ```ts
 * parametersOf(constantsToInitializers(await readOnnx('paddle.onnx')))
 * ```
 *
 * @remarks
 * Some exporters (PaddlePaddle's, older ones of PyTorch) write weights that way. As initializers they count as parameters, are saved with the
 * model and become int8. Integers, scalars and text stay where they are: they are shapes, axes and indices.
 */
export function constantsToInitializers(graph: Graph): Graph {
  if (!graph.nodes.some((node) => weightOf(node) || subgraphs(node).length > 0)) return graph
  const initializers = new Map(graph.initializers)
  const nodes: Node[] = []
  for (const node of graph.nodes) {
    const weight = weightOf(node)
    if (weight) initializers.set(node.outputs[0]!, weight)
    else nodes.push(mapSubgraphs(node, constantsToInitializers))
  }
  return { ...graph, nodes, initializers }
}

function weightOf({ op, domain, attributes, outputs }: Node): Initializer | undefined {
  const { value } = attributes
  if (op !== 'Constant' || domain !== '' || value?.type !== 'tensor' || !outputs[0]) return undefined
  if (!/float/.test(value.value.dtype) || value.value.shape.length === 0) return undefined
  // The name that it had in its attribute would be written beside its own.
  const { carried: _, ...tensor } = value.value
  return tensor
}
