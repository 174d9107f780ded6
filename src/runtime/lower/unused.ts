import type { Attribute, Graph, Node } from '../../graph/index.ts'
import type { Lowered } from '../weights.ts'

/** Drops initializers that nothing takes any more: the runtime would load them, and warn of each. */
export function withoutUnused({ graph, halves }: Lowered): Lowered {
  const used = usedNames(graph)
  const keep = <T>(entries: ReadonlyMap<string, T>) =>
    new Map([...entries].filter(([name]) => used.has(name)))
  return { graph: { ...graph, initializers: keep(graph.initializers) }, halves: keep(halves) }
}

/** Every name that a node, an output or a sub-graph refers to, and the inputs, whose defaults are initializers. */
export function usedNames(graph: Graph): Set<string> {
  const used = new Set<string>()
  const visit = ({ nodes, inputs, outputs }: Graph) => {
    for (const { name } of [...inputs, ...outputs]) used.add(name)
    for (const node of nodes) {
      for (const name of node.inputs) used.add(name)
      for (const body of bodies(node)) visit(body)
    }
  }
  visit(graph)
  return used
}

/** The sub-graphs of a node. */
export function bodies(node: Node): readonly Graph[] {
  return Object.values(node.attributes).flatMap((attribute: Attribute) => {
    if (attribute.type === 'graph') return [attribute.value]
    return attribute.type === 'graphs' ? attribute.value : []
  })
}
