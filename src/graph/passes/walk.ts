// Helpers of passes: the graphs inside nodes, the names that nodes read, the types of values.

import type { Attribute, Graph, Node, ValueInfo, ValueType } from '../types.ts'

/** The graphs in a node's attributes (bodies of `If`, `Loop`, `Scan`). */
export function subgraphs(node: Node): Graph[] {
  return Object.values(node.attributes).flatMap((attribute) =>
    attribute.type === 'graph' ? [attribute.value] : attribute.type === 'graphs' ? [...attribute.value] : [],
  )
}

/** The key of a model's function. */
export function functionKey(domain: string, name: string, overload = ''): string {
  return `${domain}\n${name}\n${overload}`
}

/**
 * Tells of a graph's nodes whether they are what is looked for, or hold it: in a graph inside them or in a function that they call, through others as
 * well.
 */
export function holding(graph: Graph, isWanted: (node: Node) => boolean): (node: Node) => boolean {
  const functions = new Map(graph.functions.map((fn) => [functionKey(fn.domain, fn.name, fn.overload), fn]))
  /** Answers by function; one that is being looked into holds nothing by calling itself. */
  const known = new Map<string, boolean>()
  const holds = (node: Node): boolean => {
    if (isWanted(node) || subgraphs(node).some((inner) => inner.nodes.some(holds))) return true
    const key = functionKey(node.domain, node.op, node.overload)
    const fn = functions.get(key)
    if (!fn) return false
    if (!known.has(key)) {
      known.set(key, false)
      known.set(key, fn.nodes.some(holds))
    }
    return known.get(key)!
  }
  return holds
}

/** A node with each graph in its attributes replaced; the same node if it has none. */
export function mapSubgraphs(node: Node, change: (graph: Graph) => Graph): Node {
  if (subgraphs(node).length === 0) return node
  const attributes: Record<string, Attribute> = {}
  for (const [name, attribute] of Object.entries(node.attributes)) {
    if (attribute.type === 'graph') attributes[name] = { ...attribute, value: change(attribute.value) }
    else if (attribute.type === 'graphs')
      attributes[name] = { ...attribute, value: attribute.value.map(change) }
    else attributes[name] = attribute
  }
  return { ...node, attributes }
}

/** Names of values that a node reads: its inputs, and what the graphs inside it take from around them. */
export function reads(node: Node): string[] {
  const names = node.inputs.filter((name) => name !== '')
  return names.concat(subgraphs(node).flatMap(captured))
}

/** Names that a sub-graph takes from the graphs around it. */
export function captured(graph: Graph): string[] {
  const own = defined(graph)
  const wanted = [...graph.nodes.flatMap(reads), ...graph.outputs.map(({ name }) => name)]
  return wanted.filter((name) => !own.has(name))
}

/** Names that a graph itself gives values to. */
export function defined(graph: Graph): Set<string> {
  const names = new Set<string>()
  for (const { name } of graph.inputs) names.add(name)
  for (const name of graph.initializers.keys()) names.add(name)
  for (const name of graph.sparseInitializers.keys()) names.add(name)
  for (const node of graph.nodes) for (const name of node.outputs) if (name !== '') names.add(name)
  return names
}

/** Type of a value of the graph, as far as the graph says. */
export function typeOf(graph: Graph, name: string): ValueType | undefined {
  return infoOf(graph, name)?.type
}

/** Type of a value as the graph declares it: for an output, an input, an inner value or an initializer. */
export function infoOf(graph: Graph, name: string): ValueInfo | undefined {
  const named = (info: ValueInfo) => info.name === name && info.type !== undefined
  const info = graph.outputs.find(named) ?? graph.inputs.find(named) ?? graph.values.get(name)
  if (info?.type) return info
  const tensor = graph.initializers.get(name)
  return tensor ? { ...info, name, type: { kind: 'tensor', dtype: tensor.dtype, shape: tensor.shape } } : info
}
