/** The pass that turns named initializers into inputs, so that a session can hold or replace them. */
import { closest, PipiloError } from '../../base/index.ts'
import { ROLE_KEY, roleOf } from '../roles.ts'
import type { Graph, Initializer, Node, ValueInfo } from '../types.ts'
import { mapSubgraphs, subgraphs } from './walk.ts'

/**
 * The graph with these initializers as inputs, behind those that it has.
 *
 * @example
 * ```ts
 * const names = parametersOf(graph).map(({ name }) => name)
 * const trained = initializersToInputs(graph, names) // graph.initializers still has the tensors to feed
 * ```
 *
 * @remarks
 * An input has the type of its tensor and, in its metadata, the role that it had (`parametersOf` goes on listing it). An initializer
 * inside a sub-graph becomes an input of the whole graph, since names are seen from inside. One that was the default of an input
 * is a default no more.
 *
 * @throws `LAYER_UNKNOWN` with the closest names, `GRAPH_INVALID` if several sub-graphs have initializers of one name
 */
export function initializersToInputs(graph: Graph, names: Iterable<string>): Graph {
  const wanted = new Set(names)
  if (wanted.size === 0) return graph
  const found = new Map<string, ValueInfo>()
  const nodes = graph.nodes.map((node) => mapSubgraphs(node, (inner) => lifted(inner, wanted, found, graph)))
  for (const name of wanted) {
    const tensor = graph.initializers.get(name)
    if (tensor) found.set(name, inputOf(graph, name, tensor))
    else if (!found.has(name)) throw unknown(graph, name)
  }
  const inputs = graph.inputs.map((info) => found.get(info.name) ?? info)
  const had = new Set(graph.inputs.map(({ name }) => name))
  const added = [...wanted].filter((name) => !had.has(name)).map((name) => found.get(name)!)
  return {
    ...graph,
    inputs: [...inputs, ...added],
    nodes,
    initializers: without(graph.initializers, wanted),
    values: without(graph.values, wanted),
  }
}

/** A sub-graph without the wanted initializers, which are noted in `found`. */
function lifted(
  graph: Graph,
  wanted: ReadonlySet<string>,
  found: Map<string, ValueInfo>,
  outer: Graph,
): Graph {
  for (const [name, tensor] of graph.initializers) {
    if (!wanted.has(name)) continue
    if (found.has(name) || outer.initializers.has(name)) {
      throw new PipiloError('GRAPH_INVALID', `More than one initializer is called ${name}.`, {
        input: name,
        hint: 'Rename one of them.',
      })
    }
    found.set(name, inputOf(graph, name, tensor))
  }
  return {
    ...graph,
    nodes: graph.nodes.map((node) => mapSubgraphs(node, (inner) => lifted(inner, wanted, found, outer))),
    initializers: without(graph.initializers, wanted),
    values: without(graph.values, wanted),
  }
}

function inputOf(graph: Graph, name: string, { dtype, shape }: Initializer): ValueInfo {
  const said = graph.values.get(name) ?? graph.inputs.find((info) => info.name === name)
  const role = roleOf(graph, name)
  const metadata = new Map([...(said?.metadata ?? []), ...(role ? [[ROLE_KEY, role] as const] : [])])
  return {
    ...said,
    name,
    type: { kind: 'tensor', dtype, shape },
    ...(metadata.size > 0 ? { metadata } : {}),
  }
}

function without<T>(map: ReadonlyMap<string, T>, names: ReadonlySet<string>): ReadonlyMap<string, T> {
  return new Map([...map].filter(([name]) => !names.has(name)))
}

function unknown(graph: Graph, name: string): PipiloError {
  const near = closest(name, [...graph.initializers.keys(), ...graph.nodes.flatMap(innerNames)])
  return new PipiloError('LAYER_UNKNOWN', `The graph has no initializer ${name}.`, {
    input: name,
    ...(near.length > 0 && { hint: `Did you mean ${near.join(' or ')}?` }),
  })
}

function innerNames(node: Node): string[] {
  return subgraphs(node).flatMap((graph) => [
    ...graph.initializers.keys(),
    ...graph.nodes.flatMap(innerNames),
  ])
}
