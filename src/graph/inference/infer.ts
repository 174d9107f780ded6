/** Shape inference over a whole graph. */
import { PipiloError } from '../../base/index.ts'
import type { Dimension, Graph, Node, ValueInfo, ValueType } from '../types.ts'
import { expandFunctions } from './functions.ts'
import { Call, type Fact, factOf } from './rule.ts'
import { ruleOf } from './table.ts'

/** Options of {@link inferShapes}. */
export interface InferOptions {
  /** Throw when a node's inputs do not fit together, instead of leaving its outputs' types unknown. Default `false`. */
  readonly strict?: boolean
}

/**
 * The same graph with the types of all inner values and outputs, as far as they can be known.
 *
 * @example
 * ```ts
 * inferShapes(graph).values.get('encoder.layer.0/Add')?.type // { kind: 'tensor', dtype: 'float32', shape: ['batch', 8, 384] }
 * ```
 *
 * @remarks
 * Sizes may be symbols and expressions of them (`batch*8`); sizes that depend on data get new symbols. Arithmetic on
 * shapes (`Shape`, `Gather`, `Concat`, `Reshape`, …) is followed. Sub-graphs are inferred too, functions are looked into. Values behind an operator
 * without a rule keep the type that the graph gave them, if any.
 *
 * @throws PipiloError `SHAPE_MISMATCH` or `DTYPE_MISMATCH`, with `strict`
 */
export function inferShapes(graph: Graph, options: InferOptions = {}): Graph {
  return annotate(graph, inferFacts(graph, options))
}

/** Facts of every value of the graph, by name; `outer` are those of values around it. */
export function inferFacts(
  graph: Graph,
  options: InferOptions = {},
  outer: ReadonlyMap<string, Fact> = new Map(),
): Map<string, Fact> {
  const inference = new Inference(graph, options.strict ?? false)
  return inference.graph(graph, outer)
}

function annotate(graph: Graph, facts: ReadonlyMap<string, Fact>): Graph {
  const typed = (info: ValueInfo): ValueInfo => {
    const type = facts.get(info.name)?.type
    return type ? { ...info, type } : info
  }
  const values = new Map(graph.values)
  const outer = new Set([...graph.inputs, ...graph.outputs].map(({ name }) => name))
  for (const name of graph.nodes.flatMap((node) => node.outputs)) {
    if (name === '' || outer.has(name)) continue
    const info = typed(values.get(name) ?? { name })
    if (info.type) values.set(name, info)
  }
  return { ...graph, outputs: graph.outputs.map(typed), values }
}

class Inference {
  readonly #model: Graph
  readonly #strict: boolean

  constructor(model: Graph, strict: boolean) {
    this.#model = model
    this.#strict = strict
  }

  /** Facts of a graph's values; `given` are those known beforehand (outer values, arguments). */
  graph(graph: Graph, given: ReadonlyMap<string, Fact>): Map<string, Fact> {
    const facts = new Map(given)
    for (const { name, type } of graph.inputs) facts.set(name, merge(given.get(name), type))
    for (const [name, initializer] of graph.initializers) facts.set(name, factOf(initializer))
    for (const [name, { values, shape }] of graph.sparseInitializers) {
      facts.set(name, { type: { kind: 'tensor', dtype: values.dtype, shape } })
    }
    const declared = new Map<string, ValueType | undefined>()
    for (const { name, type } of [...graph.values.values(), ...graph.outputs]) declared.set(name, type)
    for (const node of graph.nodes) {
      const results = this.#node(node, facts)
      for (const [i, name] of node.outputs.entries()) {
        if (name !== '') facts.set(name, merge(results[i], declared.get(name)))
      }
    }
    return facts
  }

  #node(node: Node, facts: ReadonlyMap<string, Fact>): readonly (Fact | undefined)[] {
    const inputs = node.inputs.map((name) => (name === '' ? undefined : (facts.get(name) ?? {})))
    while (inputs.length && inputs.at(-1) === undefined) inputs.pop()
    const body = expandFunctions(this.#model, node)
    if (body) {
      const given = new Map(body.inputs.map(({ name }, i) => [name, inputs[i] ?? {}]))
      const inner = this.graph(body, given)
      return body.outputs.map(({ name }) => inner.get(name))
    }
    const rule = ruleOf(node.domain, node.op)
    if (!rule) return []
    const infer: Call['infer'] = (subgraph, args) => {
      const given = new Map(facts)
      for (const [i, { name }] of subgraph.inputs.entries()) given.set(name, args[i] ?? {})
      const inner = this.graph(subgraph, given)
      return subgraph.outputs.map(({ name }) => inner.get(name) ?? {})
    }
    const opsets = this.#model.opsets
    const opset = opsets.get(node.domain) ?? opsets.get(node.domain === '' ? 'ai.onnx' : '') ?? 17
    try {
      return rule(new Call(node, inputs, opset, infer))
    } catch (error) {
      if (!this.#strict) return []
      if (error instanceof PipiloError) throw error
      // Attributes that no rule reckons with.
      throw new PipiloError(
        'SHAPE_MISMATCH',
        `Node "${node.name}" (${node.op}) is not as its operator wants it.`,
        {
          input: node.name,
          cause: error,
        },
      )
    }
  }
}

/** The inferred fact, completed by the type that the graph declares. */
function merge(fact: Fact | undefined, declared: ValueType | undefined): Fact {
  const found = fact?.type
  if (!found) return declared ? { type: declared, content: fact?.content } : (fact ?? {})
  if (declared?.kind !== 'tensor' || found.kind !== 'tensor' || !declared.shape) return fact
  const { shape } = found
  if (!shape) return { ...fact, type: declared }
  if (shape.length !== declared.shape.length) return fact
  const merged = shape.map((dimension, axis) => sharper(dimension, declared.shape![axis]!))
  return { ...fact, type: { ...declared, dtype: found.dtype, shape: merged } }
}

function sharper(found: Dimension, declared: Dimension): Dimension {
  return found === '' || (typeof found === 'string' && typeof declared === 'number') ? declared : found
}
