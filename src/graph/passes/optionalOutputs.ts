/** The pass that adds what differentiation asks of nodes: outputs that ONNX leaves optional. */
import { closest, PipiloError } from '../../base/index.ts'
import { inferShapes } from '../inference/infer.ts'
import type { Graph, Node } from '../types.ts'
import { allValues } from './rename.ts'
import { mapSubgraphs, subgraphs } from './walk.ts'

/** The outputs of the operators that have optional ones, in their order, by ONNX's names. */
const OUTPUTS = {
  BatchNormalization: ['Y', 'running_mean', 'running_var'],
  Dropout: ['output', 'mask'],
  GRU: ['Y', 'Y_h'],
  LSTM: ['Y', 'Y_h', 'Y_c'],
  LayerNormalization: ['Y', 'Mean', 'InvStdDev'],
  MaxPool: ['Y', 'Indices'],
  RNN: ['Y', 'Y_h'],
  SoftmaxCrossEntropyLoss: ['output', 'log_prob'],
  Unique: ['Y', 'indices', 'inverse_indices', 'counts'],
} as const satisfies Readonly<Record<string, readonly string[]>>

/**
 * The graph whose named nodes have these optional outputs as well.
 *
 * @example
 * ```ts
 * optionalOutputs(graph, { 'encoder.layer.0.output.LayerNorm/LayerNormalization': ['Mean', 'InvStdDev'] })
 * ```
 *
 * @remarks
 * Keys are names of nodes, in sub-graphs too, or of values that they make; outputs are called as in ONNX's description of the
 * operator: `Mean` and `InvStdDev` of LayerNormalization, `Indices` of MaxPool, `running_mean` and `running_var` of BatchNormalization in
 * training mode (momentum 0 makes them the batch's own), `mask` of Dropout, `log_prob` of SoftmaxCrossEntropyLoss, the further ones of
 * Unique, LSTM, GRU and RNN. A new one is called like its node, a colon and its number (`…/MaxPool:1`), one that has a name keeps it:
 * find them in the node's `outputs`. Their types are inferred.
 *
 * @throws `LAYER_UNKNOWN` with the closest names, `OPERATOR_UNSUPPORTED` for an output that an operator lacks
 */
export function optionalOutputs(graph: Graph, wanted: Readonly<Record<string, readonly string[]>>): Graph {
  const left = new Set(Object.keys(wanted))
  const taken = allValues(graph)
  const visit = (node: Node): Node => {
    const inner = mapSubgraphs(node, (subgraph) => ({ ...subgraph, nodes: subgraph.nodes.map(visit) }))
    const keys = [node.name, ...node.outputs].filter((key) => key !== '' && left.has(key))
    for (const key of keys) left.delete(key)
    return keys.reduce((made, key) => withOutputs(made, wanted[key]!, taken), inner)
  }
  const nodes = graph.nodes.map(visit)
  const [missing] = left
  if (missing !== undefined) throw unknown(graph, missing)
  return left.size === 0 && nodes.every((node, i) => node === graph.nodes[i])
    ? graph
    : inferShapes({ ...graph, nodes })
}

function withOutputs(node: Node, slots: readonly string[], taken: Set<string>): Node {
  const outputs = [...node.outputs]
  for (const slot of slots) {
    const known: readonly string[] =
      node.domain === '' ? (OUTPUTS[node.op as keyof typeof OUTPUTS] ?? []) : []
    const index = known.indexOf(slot)
    if (index < 0 || (index > 0 && !gives(node))) throw lacking(node, slot, known)
    while (outputs.length <= index) outputs.push('')
    if (outputs[index] !== '') continue
    const name = fresh(`${node.name || node.outputs.find((output) => output !== '')}:${index}`, taken)
    taken.add(name)
    outputs[index] = name
  }
  return { ...node, outputs: fullPairs(node, outputs, taken) }
}

/** BatchNormalization gives both statistics or none. */
function fullPairs(node: Node, outputs: string[], taken: Set<string>): string[] {
  if (node.op !== 'BatchNormalization' || outputs.length < 2) return outputs
  for (const index of [1, 2]) {
    if (outputs[index]) continue
    outputs[index] = fresh(`${node.name || outputs[0]}:${index}`, taken)
    taken.add(outputs[index])
  }
  return outputs
}

/** BatchNormalization has statistics only where it computes them. */
function gives({ op, attributes }: Node): boolean {
  const training = attributes['training_mode']
  return op !== 'BatchNormalization' || (training?.type === 'int' && Number(training.value) === 1)
}

function fresh(name: string, taken: ReadonlySet<string>): string {
  let candidate = name
  for (let i = 2; taken.has(candidate); i++) candidate = `${name}_${i}`
  return candidate
}

function lacking(node: Node, slot: string, known: readonly string[]): PipiloError {
  const sentence =
    known.includes(slot) && node.op === 'BatchNormalization'
      ? `${node.name} gives ${slot} in training mode only.`
      : `${node.op} at ${JSON.stringify(node.name)} has no optional output ${slot}.`
  return new PipiloError('OPERATOR_UNSUPPORTED', sentence, {
    input: node.name,
    ...(known.length > 0 && { hint: `It has ${known.join(', ')}.` }),
  })
}

function unknown(graph: Graph, name: string): PipiloError {
  const names = (nodes: readonly Node[]): string[] =>
    nodes.flatMap((node) => [node.name, ...subgraphs(node).flatMap((inner) => names(inner.nodes))])
  const near = closest(name, names(graph.nodes))
  return new PipiloError('LAYER_UNKNOWN', `There is no node ${name}.`, {
    input: name,
    ...(near.length > 0 && { hint: `Did you mean ${near.join(' or ')}?` }),
  })
}
