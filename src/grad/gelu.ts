/** Gelu as one node, before it is differentiated: its five have ten more on the way back, each a pass over memory. */
import { type Graph, type Node, reads } from '../graph/index.ts'

const MICROSOFT = 'com.microsoft'

/**
 * The graph in which `x · (erf(x / √2) + 1) · 0.5` in float32 is one operator, where nothing else asks for the values within.
 *
 * @param kept names of values that have to stay
 */
export function fuseGelu(graph: Graph, kept: readonly string[]): Graph {
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)))
  const uses = new Map<string, number>()
  const asked = [...graph.nodes.flatMap(reads), ...graph.outputs.map(({ name }) => name), ...kept]
  for (const name of asked) uses.set(name, (uses.get(name) ?? 0) + 1)
  const inner = (name: string | undefined, op: string): Node | undefined => {
    const node = name !== undefined && uses.get(name) === 1 ? makers.get(name) : undefined
    return node?.op === op && node.domain === '' ? node : undefined
  }
  const isNumber = (name: string | undefined, value: number): boolean => {
    const found = name === undefined ? undefined : graph.initializers.get(name)
    if (!found || !('data' in found) || found.dtype !== 'float32' || found.shape.length > 0) return false
    return Math.fround(value) === found.data[0]
  }

  const removed = new Set<Node>()
  const fused = new Map<Node, Node>()
  for (const node of graph.nodes) {
    if (node.op !== 'Mul' || node.domain !== '' || !isNumber(node.inputs[1], 0.5)) continue
    const product = inner(node.inputs[0], 'Mul')
    const sum = inner(product?.inputs[1], 'Add')
    const erf = isNumber(sum?.inputs[1], 1) ? inner(sum?.inputs[0], 'Erf') : undefined
    const share = inner(erf?.inputs[0], 'Div')
    const [x] = product?.inputs ?? []
    if (!product || !sum || !erf || !share || x === undefined) continue
    if (share.inputs[0] !== x || !isNumber(share.inputs[1], Math.SQRT2)) continue
    for (const one of [product, sum, erf, share]) removed.add(one)
    fused.set(node, { ...node, op: 'Gelu', domain: MICROSOFT, inputs: [x] })
  }
  if (fused.size === 0) return graph
  const gone = new Set([...removed].flatMap(({ outputs }) => outputs))
  return {
    ...graph,
    opsets: new Map([...graph.opsets, [MICROSOFT, graph.opsets.get(MICROSOFT) ?? 1]]),
    nodes: graph.nodes.flatMap((node) => (removed.has(node) ? [] : [fused.get(node) ?? node])),
    values: new Map([...graph.values].filter(([name]) => !gone.has(name))),
  }
}
