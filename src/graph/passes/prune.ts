// Pass that deletes what the outputs of a graph do not need.
import type { Graph, GraphFunction, Node, ValueInfo } from '../types.ts'
import { functionKey, mapSubgraphs, reads, subgraphs } from './walk.ts'

export interface PruneOptions {
  /** Keep inputs that nothing reads. Default `false`: a caller need not feed what has no effect. */
  readonly keepInputs?: boolean
}

/**
 * The graph without what its outputs do not need: nodes, initializers, inputs, functions, types of values.
 *
 * @example
 * ```ts
 * prune(graph)
 * ```
 *
 * @remarks
 * Works inside sub-graphs as well, whose inputs and outputs stay, since their node counts on them. A node's optional
 * outputs that nothing reads stay named.
 */
export function prune(graph: Graph, options: PruneOptions = {}): Graph {
  const main = pruneNodes(graph)
  const used = usedIn(main)
  // An input with a default value that nothing reads goes with that value.
  const inputs = main.inputs.filter(
    ({ name }) => used.has(name) || (options.keepInputs && !graph.initializers.has(name)),
  )
  return { ...main, inputs, functions: usedFunctions(main) }
}

function usedIn(graph: Graph): Set<string> {
  return new Set([...graph.outputs.map(({ name }) => name), ...graph.nodes.flatMap(reads)])
}

function pruneNodes(graph: Graph): Graph {
  const needed = new Set(graph.outputs.map(({ name }) => name))
  const kept: Node[] = []
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((name) => needed.has(name))) continue
    const lean = mapSubgraphs(node, pruneNodes)
    for (const name of reads(lean)) needed.add(name)
    kept.push(lean)
  }
  const nodes = kept.reverse()
  const produced = new Set(nodes.flatMap(({ outputs }) => outputs))
  return {
    ...graph,
    nodes,
    initializers: filterMap(graph.initializers, (name) => needed.has(name)),
    sparseInitializers: filterMap(graph.sparseInitializers, (name) => needed.has(name)),
    values: filterMap(graph.values, (name) => produced.has(name) || needed.has(name)),
  }
}

function filterMap<T>(map: ReadonlyMap<string, T>, keep: (name: string) => boolean): ReadonlyMap<string, T> {
  return new Map([...map].filter(([name]) => keep(name)))
}

/** The functions that nodes call, and those that these call. */
function usedFunctions(graph: Graph): readonly GraphFunction[] {
  const byKey = new Map(graph.functions.map((fn) => [functionKey(fn.domain, fn.name, fn.overload), fn]))
  const used = new Set<GraphFunction>()
  const visit = (nodes: readonly Node[]) => {
    for (const node of nodes) {
      for (const inner of subgraphs(node)) visit(inner.nodes)
      const fn = byKey.get(functionKey(node.domain, node.op, node.overload))
      if (!fn || used.has(fn)) continue
      used.add(fn)
      visit(fn.nodes)
    }
  }
  visit(graph.nodes)
  return graph.functions.filter((fn) => used.has(fn))
}

/** The infos of a graph's inner values after other values became its outputs: an output is not repeated there. */
export function innerValues(graph: Graph, outputs: readonly ValueInfo[]): ReadonlyMap<string, ValueInfo> {
  const values = new Map(graph.values)
  for (const info of graph.outputs) if (info.type) values.set(info.name, info)
  for (const { name } of [...outputs, ...graph.inputs]) values.delete(name)
  return values
}
