/** `If` nodes whose branches are built from values around them. */
import { Builder, type Graph, type Value } from '../../graph/index.ts'

/** Gives a value of the graph around a branch inside of it. */
export type Inside = (outside: Value) => Value

type Branch = (inside: Inside) => readonly Value[]

/**
 * The values of `yes` if `condition` holds, else those of `no`; only that branch is worked out.
 *
 * @param condition a bool. Outputs that branches read have to have their names before.
 */
export function branch(condition: Value, yes: Branch, no: Branch): readonly Value[] {
  const { builder } = condition
  const [then, otherwise] = [yes, no].map((body, index) =>
    graphOf(builder, index === 0 ? 'then' : 'else', body),
  )
  return builder.node(
    'If',
    [condition],
    { then_branch: { type: 'graph', value: then! }, else_branch: { type: 'graph', value: otherwise! } },
    { outputs: then!.outputs.length, types: then!.outputs.map(({ type }) => type!) },
  )
}

function graphOf(outer: Builder, name: string, body: Branch): Graph {
  const builder = new Builder({ name, opset: outer.opset })
  const captured = new Map<string, Value>()
  const inside: Inside = (value) => {
    const known = captured.get(value.name) ?? builder.input(value.name, value.dtype, value.shape)
    captured.set(value.name, known)
    return known
  }
  // A path of its own, because names inside a branch and around it have to differ.
  const path = outer.path ? `${outer.path}.${name}` : name
  const results = builder.scope(path, () => body(inside))
  for (const [index, value] of results.entries()) builder.output(`${path}/${index}`, value)
  return withOwnConstants(builder.build(), path)
}

/** The graph without inputs: it takes their values from around it. Its constants get names that are not taken there. */
function withOwnConstants(graph: Graph, path: string): Graph {
  const to = (name: string) => (graph.initializers.has(name) ? `${path}/${name}` : name)
  return {
    ...graph,
    inputs: [],
    opsets: new Map(),
    nodes: graph.nodes.map((node) => ({ ...node, inputs: node.inputs.map(to) })),
    initializers: new Map([...graph.initializers].map(([name, tensor]) => [to(name), tensor])),
  }
}
