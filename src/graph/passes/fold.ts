// Pass that computes the constant part of a graph once and keeps the results as initializers.
import type { Tensor } from '../../tensor/index.ts'
import type { Graph, Initializer, Node } from '../types.ts'
import { prune } from './prune.ts'
import { defined, holding, infoOf, reads } from './walk.ts'

/** Computes the outputs of a graph without inputs. */
export type Evaluate = (graph: Graph) => Promise<Readonly<Record<string, Tensor>>>

export interface FoldOptions {
  /** Results of more bytes are not kept: an expanded constant may be far larger than what makes it. Default 64 MB. */
  readonly maxBytes?: number
}

/** Operators that draw random numbers at inference, too. */
const DRAWING: ReadonlySet<string> = new Set([
  'RandomNormal',
  'RandomNormalLike',
  'RandomUniform',
  'RandomUniformLike',
  'Multinomial',
  'Bernoulli',
])

/** Operators that give no tensor, and one that would undo a model's compression. */
const KEPT = new Set([
  'SequenceConstruct',
  'SequenceEmpty',
  'SequenceInsert',
  'SequenceErase',
  'SequenceMap',
  'SplitToSequence',
  'Optional',
  'OptionalGetElement',
  'DequantizeLinear',
])

/**
 * The graph with everything computed that depends on no input.
 *
 * @example
 * ```ts
 * await fold(graph, (constant) => run(constant))
 * ```
 *
 * @remarks
 * Nodes whose inputs are all constant are run once, together, by `evaluate`; their results become initializers under the
 * values' own names, and what is then unused is dropped (inputs stay). Random operators, sequences, `DequantizeLinear` and
 * nodes that make an output of the graph are left alone; an initializer that is also an input is no constant.
 */
export async function fold(graph: Graph, evaluate: Evaluate, options: FoldOptions = {}): Promise<Graph> {
  const { maxBytes = 64 * 2 ** 20 } = options
  const overridable = new Set(graph.inputs.map(({ name }) => name))
  const outputs = new Set(graph.outputs.map(({ name }) => name))
  const constants = new Set([...graph.initializers.keys(), ...graph.sparseInitializers.keys()])
  for (const name of overridable) constants.delete(name)
  const isRandom = holding(graph, (node) => draws(node) || (node.domain === '' && node.op === 'Dropout'))
  const folded: Node[] = []
  for (const node of graph.nodes) {
    const fixed = !isRandom(node) && !KEPT.has(node.op) && reads(node).every((name) => constants.has(name))
    if (!fixed || node.outputs.some((name) => outputs.has(name))) continue
    folded.push(node)
    for (const name of node.outputs) if (name !== '') constants.add(name)
  }
  if (folded.length === 0) return graph
  const set = new Set(folded)
  const rest = graph.nodes.filter((node) => !set.has(node))
  const read = new Set(rest.flatMap(reads))
  const known = new Map<string, Initializer>()
  const wanted: string[] = []
  for (const node of folded) {
    const value = node.op === 'Constant' ? node.attributes['value'] : undefined
    for (const name of node.outputs) {
      if (!read.has(name)) continue
      if (value?.type === 'tensor') known.set(name, unnamed(value.value))
      else wanted.push(name)
    }
  }
  if (wanted.length > 0) {
    const part = {
      ...graph,
      inputs: [],
      nodes: folded,
      outputs: wanted.map((name) => infoOf(graph, name) ?? { name }),
    }
    const results = await evaluate(prune(part))
    for (const name of wanted) {
      const tensor = results[name]
      if (tensor && bytesIn(tensor) <= maxBytes) known.set(name, tensor)
    }
  }
  const inner = { ...graph, initializers: new Map([...graph.initializers, ...known]) }
  const nodes = graph.nodes.filter((node) => !node.outputs.some((name) => known.has(name)))
  // A node of several outputs goes only if all that are read are known now.
  const lost = missing({ ...inner, nodes })
  const kept = graph.nodes.filter(
    (node) => nodes.includes(node) || node.outputs.some((name) => lost.has(name)),
  )
  const produced = new Set(kept.flatMap((node) => node.outputs))
  const initializers = new Map([...inner.initializers].filter(([name]) => !produced.has(name)))
  return prune({ ...inner, nodes: kept, initializers }, { keepInputs: true })
}

/** A tensor without what its attribute carried along: the name that it had there would be written beside its own. */
function unnamed({ carried: _, ...tensor }: Initializer): Initializer {
  return tensor
}

/** Names that are read but no longer made. */
function missing(graph: Graph): Set<string> {
  const own = defined(graph)
  return new Set(graph.nodes.flatMap(reads).filter((name) => !own.has(name)))
}

function bytesIn({ data }: Tensor): number {
  if (ArrayBuffer.isView(data)) return data.byteLength
  return data.reduce((sum, value) => sum + value.length, 0)
}

/** Operators of a graph's nodes that draw random numbers, inside them too; dropout, which at inference does nothing, is none. */
export function randomOperators(graph: Graph): string[] {
  return graph.nodes.filter(holding(graph, draws)).map(({ op }) => op)
}

const draws = (node: Node): boolean => node.domain === '' && DRAWING.has(node.op)
