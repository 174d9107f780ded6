// Passes that multiply by transposed weights without a transposed copy.
import { type Graph, type Node, reads } from '../../graph/index.ts'
import type { Lowered } from '../node/weights.ts'

const MICROSOFT = 'com.microsoft'

/**
 * `MatMul(x, Transpose(weight))`, as a PyTorch `Linear` is written, becomes `FusedMatMul(x, weight, transB=1)`.
 *
 * The runtime would fold the Transpose into a copy of its own in each session (74 MB instead of 30 for MiniLM, and 25 ms
 * more to create it); this way the weight stays where it lies. The speed of running is the same.
 */
export function fuseTransposedWeights({ graph, halves }: Lowered): Lowered {
  const weights = new Map<string, string>()
  for (const node of graph.nodes) {
    const [source = ''] = node.inputs
    const weight = graph.initializers.get(source)
    // FusedMatMul knows float32 only.
    const float32 = weight?.dtype === 'float32' || halves.has(source)
    if (isTranspose(node) && float32 && weight?.shape.length === 2)
      weights.set(node.outputs[0] as string, source)
  }
  const nodes = graph.nodes.map((node): Node => {
    const [x = '', b = ''] = node.inputs
    const weight = weights.get(b)
    if (node.op !== 'MatMul' || node.domain !== '' || weight === undefined) return node
    const attributes = { transB: { type: 'int', value: 1 } } as const
    return { ...node, op: 'FusedMatMul', domain: MICROSOFT, inputs: [x, weight], attributes }
  })
  return { graph: { ...graph, nodes, opsets: new Map([...graph.opsets, [MICROSOFT, 1]]) }, halves }
}

/**
 * `MatMul(x, Transpose(weight)) + bias` of matrices, where the weight is an input as in training, becomes one Gemm. The runtime does so as
 * well, but leaves the Transpose where the sum is used more than once: a hundredth of a small autoencoder's step.
 */
export function fuseLinear({ graph, halves }: Lowered): Lowered {
  const inputs = new Set(graph.inputs.map(({ name }) => name))
  const uses = usesOf(graph)
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)))
  const gone = new Set<Node>()
  const nodes = graph.nodes.map((node): Node => {
    const [product = '', bias = ''] = node.inputs
    const matMul = makers.get(product)
    if (node.op !== 'Add' || node.domain !== '' || uses.get(product) !== 1) return node
    if (matMul?.op !== 'MatMul' || matMul.domain !== '') return node
    const [x = '', transposed = ''] = matMul.inputs
    const transpose = makers.get(transposed)
    const [weight = ''] = transpose?.inputs ?? []
    if (!transpose || !isTranspose(transpose) || !inputs.has(weight) || graph.initializers.has(weight))
      return node
    const [left, right, added] = [x, weight, bias].map((name) => typeOf(graph, name))
    const isLinear = left?.shape?.length === 2 && right?.shape?.length === 2 && added?.shape?.length === 1
    if (!isLinear || left.dtype !== 'float32' || added.shape[0] !== right.shape[0]) return node
    gone.add(matMul)
    const attributes = { transB: { type: 'int', value: 1 } } as const
    return { ...node, op: 'Gemm', inputs: [x, weight, bias], attributes }
  })
  return { graph: { ...graph, nodes: nodes.filter((node) => !gone.has(node)) }, halves }
}

/** How often each value is read, as an output of the graph too. */
function usesOf(graph: Graph): ReadonlyMap<string, number> {
  const uses = new Map<string, number>()
  for (const name of [...graph.nodes.flatMap(reads), ...graph.outputs.map(({ name }) => name)])
    uses.set(name, (uses.get(name) ?? 0) + 1)
  return uses
}

/** The dtype and shape of a value, where the graph says them. */
export function typeOf(graph: Graph, name: string) {
  const info = graph.inputs.find((input) => input.name === name) ?? graph.values.get(name)
  return info?.type?.kind === 'tensor' ? info.type : undefined
}

function isTranspose({ op, domain, attributes }: Node): boolean {
  const permutation = attributes.perm?.type === 'ints' ? attributes.perm.value : [1, 0]
  return op === 'Transpose' && domain === '' && permutation.map(Number).join() === '1,0'
}
