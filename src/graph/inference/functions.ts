/** Functions of a model, looked into as if their nodes stood at the call. */
import { functionKey } from '../passes/walk.ts'
import type { Attribute, Graph, GraphFunction, Node } from '../types.ts'

/** The body of the function that `node` calls, its attributes bound; undefined when `node` calls none. */
export function expandFunctions(model: Graph, node: Node): Graph | undefined {
  if (model.functions.length === 0) return undefined
  const called = functionsOf(model).get(functionKey(node.domain, node.op, node.overload))
  return called && bind(called, { ...called.defaults, ...node.attributes })
}

/** Functions by what calls them: a model may have thousands, and calls by the hundred thousand. */
const known = new WeakMap<Graph['functions'], ReadonlyMap<string, GraphFunction>>()

function functionsOf({ functions }: Graph): ReadonlyMap<string, GraphFunction> {
  let found = known.get(functions)
  if (!found) {
    // The first of a name counts.
    found = new Map(functions.toReversed().map((fn) => [functionKey(fn.domain, fn.name, fn.overload), fn]))
    known.set(functions, found)
  }
  return found
}

function bind(called: GraphFunction, given: Readonly<Record<string, Attribute>>): Graph {
  return {
    name: called.name,
    inputs: called.inputs.map((name) => ({ name })),
    outputs: called.outputs.map((name) => ({ name })),
    nodes: called.nodes.map((node) => bindNode(node, given)),
    initializers: new Map(),
    sparseInitializers: new Map(),
    values: called.values,
    opsets: called.opsets,
    functions: [],
    metadata: new Map(),
  }
}

/** Replaces references to the function's attributes, in sub-graphs too. */
function bindNode(node: Node, given: Readonly<Record<string, Attribute>>): Node {
  const attributes: Record<string, Attribute> = {}
  for (const [name, attribute] of Object.entries(node.attributes)) {
    const bound = attribute.type === 'reference' ? given[attribute.value] : attribute
    if (bound?.type === 'graph') attributes[name] = { ...bound, value: bindGraph(bound.value, given) }
    else if (bound) attributes[name] = bound
  }
  return { ...node, attributes }
}

function bindGraph(graph: Graph, given: Readonly<Record<string, Attribute>>): Graph {
  return { ...graph, nodes: graph.nodes.map((node) => bindNode(node, given)) }
}
