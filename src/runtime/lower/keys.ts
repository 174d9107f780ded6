// Pass that leaves the last axis of an attention's keys where it is.
import type { Node } from '../../graph/index.ts'
import type { Lowered } from '../node/weights.ts'
import { typeOf } from './transposed.ts'

const MICROSOFT = 'com.microsoft'
/** From [batch, tokens, heads, features] to [batch, heads, features, tokens], and to [batch, heads, tokens, features]. */
const [KEYS, MATRIX] = ['0,2,3,1', '0,1,3,2']

/**
 * Keys that were transposed to [batch, heads, features, tokens], and back for the gradient, are turned within the product instead: moving
 * the last axis takes twice the time of moving the others, and a second thread does not help.
 */
export function turnKeys({ graph, halves }: Lowered): Lowered {
  const outputs = new Set(graph.outputs.map(({ name }) => name))
  const keys = new Map(
    graph.nodes.flatMap((node) => (permutationOf(node) === KEYS ? [[node.outputs[0]!, node] as const] : [])),
  )
  /** For keys that are transposed back, the value that they come to. */
  const byHeads = new Map<string, string>()
  const same = new Map<string, string>()
  for (const node of graph.nodes) {
    const [source = ''] = node.inputs
    const [result = ''] = node.outputs
    if (permutationOf(node) !== MATRIX || !keys.has(source) || typeOf(graph, source)?.dtype !== 'float32')
      continue
    if (outputs.has(result)) continue
    if (!byHeads.has(source)) byHeads.set(source, result)
    same.set(result, byHeads.get(source)!)
  }
  if (byHeads.size === 0) return { graph, halves }
  const nodes = graph.nodes.flatMap((node): Node[] => {
    const [result = ''] = node.outputs
    if (same.has(result)) return []
    const inputs = node.inputs.map((name) => same.get(name) ?? name)
    const before = byHeads.get(result)
    if (before !== undefined) {
      const perm = { type: 'ints', value: [0, 2, 1, 3] } as const
      return [
        { ...node, name: before, inputs, outputs: [before], attributes: { perm } },
        { ...node, inputs },
      ]
    }
    const [left = '', right = ''] = inputs
    const turned = byHeads.get(right)
    if (node.op !== 'MatMul' || node.domain !== '' || turned === undefined) return [{ ...node, inputs }]
    const attributes = { transB: { type: 'int', value: 1 } } as const
    return [{ ...node, op: 'FusedMatMul', domain: MICROSOFT, inputs: [left, turned], attributes }]
  })
  return { graph: { ...graph, nodes, opsets: new Map([...graph.opsets, [MICROSOFT, 1]]) }, halves }
}

function permutationOf({ op, domain, attributes }: Node): string | undefined {
  if (op !== 'Transpose' || domain !== '' || attributes.perm?.type !== 'ints') return undefined
  return attributes.perm.value.map(Number).join()
}
