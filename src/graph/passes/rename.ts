// Pass that gives values and nodes other names, in sub-graphs too.
import { closest, PipiloError } from '../../base/index.ts'
import { UPDATES_KEY } from '../roles.ts'
import type { Graph, Node, ValueInfo } from '../types.ts'
import { defined, mapSubgraphs } from './walk.ts'

/**
 * The graph with other names: of inputs, outputs, inner values, initializers and nodes.
 *
 * @example
 * ```ts
 * rename(graph, { 'encoder/Add_12': 'embedding', 'input.1': 'pixel_values' })
 * ```
 *
 * @remarks
 * A name that both a node and a value bear is changed in both. Sub-graphs that read a renamed value follow.
 *
 * @throws `LAYER_UNKNOWN` if nothing bears a name, `GRAPH_INVALID` if a new name is taken
 */
export function rename(graph: Graph, mapping: Readonly<Record<string, string>>): Graph {
  const values = defined(graph)
  const nodes = new Set(graph.nodes.map(({ name }) => name))
  const changes = new Map(Object.entries(mapping).filter(([from, to]) => from !== to))
  for (const [from, to] of changes) {
    if (!values.has(from) && !nodes.has(from)) {
      const near = closest(from, [...values, ...nodes])
      throw new PipiloError('LAYER_UNKNOWN', `Nothing in the graph is called ${from}.`, {
        input: from,
        ...(near.length > 0 && { hint: `Did you mean ${near.join(' or ')}?` }),
      })
    }
    const taken = values.has(from) ? allValues(graph).has(to) && !changes.has(to) : false
    if (to === '' || taken || [...changes].some(([other, name]) => other !== from && name === to)) {
      throw new PipiloError(
        'GRAPH_INVALID',
        `${from} cannot be called ${to || 'nothing'}: another value has that name.`,
      )
    }
  }
  const renamed = renameValues(graph, (name) => changes.get(name) ?? name)
  return {
    ...renamed,
    nodes: renamed.nodes.map((node) => ({ ...node, name: changes.get(node.name) ?? node.name })),
  }
}

/** Names of all values, those inside sub-graphs as well: they share one space with the names around them. */
export function allValues(graph: Graph): Set<string> {
  const names = defined(graph)
  for (const node of graph.nodes) {
    mapSubgraphs(node, (inner) => {
      for (const name of allValues(inner)) names.add(name)
      return inner
    })
  }
  return names
}

/** Every value's name changed, in sub-graphs too, unless they give the name to a value of their own. */
export function renameValues(graph: Graph, change: (name: string) => string): Graph {
  const to = (name: string) => (name === '' ? '' : change(name))
  const info = (value: ValueInfo): ValueInfo => {
    const updated = value.metadata?.get(UPDATES_KEY)
    const metadata = updated !== undefined && new Map(value.metadata).set(UPDATES_KEY, to(updated))
    return { ...value, name: to(value.name), ...(metadata ? { metadata } : {}) }
  }
  const keys = <T>(map: ReadonlyMap<string, T>) => new Map([...map].map(([name, value]) => [to(name), value]))
  const node = (old: Node): Node =>
    mapSubgraphs({ ...old, inputs: old.inputs.map(to), outputs: old.outputs.map(to) }, (inner) => {
      const own = defined(inner)
      return renameValues(inner, (name) => (own.has(name) ? name : change(name)))
    })
  return {
    ...graph,
    inputs: graph.inputs.map(info),
    outputs: graph.outputs.map(info),
    nodes: graph.nodes.map(node),
    initializers: keys(graph.initializers),
    sparseInitializers: keys(graph.sparseInitializers),
    values: new Map([...graph.values.values()].map((value) => [to(value.name), info(value)])),
  }
}
