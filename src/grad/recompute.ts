/** Recomputation: inner values of layers are made again on the way back, instead of being kept (https://arxiv.org/abs/1604.06174). */
import { PipiloError } from '../base/index.ts'
import { Builder, type Graph, inferShapes, type Node, op, reads, type Value } from '../graph/index.ts'

/**
 * The graph whose backward nodes read inner values of some layers from copies of those layers' nodes, which run when the gradient
 * arrives there. The values that a layer hands on are kept.
 *
 * @param graph the result of differentiation
 * @param forward names of the nodes of the forward pass
 * @param layers patterns of nodes' names; nodes with the same matched text are one layer: `/^encoder\.layer\.\d+/`
 * @throws `OPTION_INVALID` for a pattern that matches nothing
 */
export function recomputed(graph: Graph, forward: ReadonlySet<string>, layers: readonly RegExp[]): Graph {
  const segments = segmentsOf(graph, forward, layers)
  return [...segments].reduce(
    (changed, [name, nodes]) => recomputedLayer(changed, forward, name, nodes),
    graph,
  )
}

/** Names of the nodes of each layer. */
function segmentsOf(
  graph: Graph,
  forward: ReadonlySet<string>,
  layers: readonly RegExp[],
): ReadonlyMap<string, ReadonlySet<string>> {
  const segments = new Map<string, Set<string>>()
  for (const pattern of layers) {
    let found = false
    for (const { name } of graph.nodes) {
      if (!forward.has(name)) continue
      const text = pattern.exec(name)?.[0]
      if (text === undefined) continue
      found = true
      segments.set(text, (segments.get(text) ?? new Set()).add(name))
    }
    if (found) continue
    throw new PipiloError(
      'OPTION_INVALID',
      `No layer matches ${pattern}, whose values are to be recomputed.`,
      {
        input: 'recompute',
        hint: `Nodes are called ${[...forward].slice(0, 3).join(', ')}, ….`,
      },
    )
  }
  return segments
}

function recomputedLayer(
  graph: Graph,
  forward: ReadonlySet<string>,
  layer: string,
  segment: ReadonlySet<string>,
): Graph {
  const inside = graph.nodes.filter(({ name }) => segment.has(name))
  const made = new Set(inside.flatMap(({ outputs }) => outputs))
  const outputs = new Set(graph.outputs.map(({ name }) => name))
  const others = graph.nodes.filter(({ name }) => forward.has(name) && !segment.has(name))
  const handedOn = new Set(others.flatMap(reads).filter((name) => made.has(name)))
  const isInner = (name: string) => made.has(name) && !handedOn.has(name) && !outputs.has(name)
  const first = graph.nodes.findIndex((node) => !forward.has(node.name) && reads(node).some(isInner))
  if (first < 0) return graph
  const behind = graph.nodes.slice(first)
  const wanted = new Set(
    behind
      .filter(({ name }) => !forward.has(name))
      .flatMap(reads)
      .filter(isInner),
  )
  const copied = neededFor(inside, wanted, isInner)
  const before = { ...graph, nodes: graph.nodes.slice(0, first), outputs: [] }
  const trigger = triggerOf(graph, first, forward)
  const copies = copiesOf(before, `recomputed.${layer.replace(/\/.*/, '')}`, copied, isInner, trigger)
  const to = (name: string) => copies.names.get(name) ?? name
  const nodes = behind.map((node) =>
    forward.has(node.name)
      ? node
      : { ...node, inputs: node.inputs.map((name) => (wanted.has(name) ? to(name) : name)) },
  )
  return inferShapes({
    ...graph,
    initializers: new Map([...graph.initializers, ...copies.graph.initializers]),
    nodes: [...copies.graph.nodes, ...nodes],
  })
}

/** The layer's nodes that make these values of what is kept. */
function neededFor(
  inside: readonly Node[],
  wanted: ReadonlySet<string>,
  isInner: (name: string) => boolean,
): readonly Node[] {
  const needed = new Set(wanted)
  const found: Node[] = []
  for (const node of inside.toReversed()) {
    if (!node.outputs.some((name) => needed.has(name))) continue
    found.push(node)
    for (const name of reads(node)) if (isInner(name)) needed.add(name)
  }
  return found.reverse()
}

/** A gradient that is there when the way back reaches the layer; `undefined` at its very beginning. */
function triggerOf(graph: Graph, first: number, forward: ReadonlySet<string>): string | undefined {
  const backward = new Set(
    graph.nodes
      .slice(0, first)
      .filter(({ name }) => !forward.has(name))
      .flatMap(({ outputs }) => outputs),
  )
  const info = (name: string) => graph.values.get(name)?.type
  const isFloat = (name: string) => {
    const type = info(name)
    return type?.kind === 'tensor' && type.dtype.startsWith('float')
  }
  return [...backward].toReversed().find((name) => name !== '' && isFloat(name))
}

/** The graph with copies of nodes, and the names of the copies' values. */
function copiesOf(
  graph: Graph,
  scope: string,
  nodes: readonly Node[],
  isInner: (name: string) => boolean,
  trigger: string | undefined,
): { graph: Graph; names: ReadonlyMap<string, string> } {
  const builder = Builder.from(graph)
  const later = new Map<string, Value>()
  const names = new Map<string, string>()
  const inputOf = (name: string): Value | undefined => {
    if (name === '') return undefined
    if (later.has(name)) return later.get(name)
    const value = builder.value(name)
    if (isInner(name) || graph.initializers.has(name) || trigger === undefined || !isActivation(graph, name))
      return value
    const tied = after(value, builder.value(trigger))
    later.set(name, tied)
    return tied
  }
  builder.scope(scope, () => {
    for (const node of nodes) {
      const made = builder.copy(node, node.inputs.map(inputOf), { name: (name) => `recomputed.${name}` })
      for (const [i, value] of made.entries()) {
        if (!value) continue
        later.set(node.outputs[i]!, value)
        names.set(node.outputs[i]!, value.name)
      }
    }
  })
  return { graph: builder.build(), names }
}

function isActivation(graph: Graph, name: string): boolean {
  return (
    graph.nodes.some(({ outputs }) => outputs.includes(name)) ||
    graph.inputs.some((input) => input.name === name)
  )
}

/**
 * `x` itself, without a copy, which ONNX Runtime cannot have before `trigger` and does not take for `x`: otherwise it would join the copies
 * with what they are copies of, or run them at once.
 */
function after(x: Value, trigger: Value): Value {
  const { builder } = x
  const one = op.slice(op.reshape(trigger, [-1]), [0], [1], { axes: [0] })
  const never = op.greater(one, builder.constant([Number.POSITIVE_INFINITY], trigger.dtype))
  return op.reshape(x, op.add(op.shape(x), op.cast(never, 'int64')))
}
