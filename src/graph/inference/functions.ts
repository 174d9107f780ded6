/** Functions of a model, looked into as if their nodes stood at the call. */
import type { Attribute, Graph, GraphFunction, Node } from '../types.ts'

/** The body of the function that `node` calls, its attributes bound; undefined when `node` calls none. */
export function expandFunctions(model: Graph, node: Node): Graph | undefined {
  const called = model.functions.find(
    ({ name, domain, overload }) =>
      name === node.op && domain === node.domain && (overload ?? '') === (node.overload ?? ''),
  )
  return called && bind(called, { ...called.defaults, ...node.attributes })
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
