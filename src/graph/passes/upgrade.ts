/** The pass that raises a graph to a newer version of the standard operator set. */
import { PipiloError } from '../../base/index.ts'
import { type DType, tensor } from '../../tensor/index.ts'
import { inferFacts } from '../inference/infer.ts'
import type { Fact } from '../inference/rule.ts'
import { constantName } from '../roles.ts'
import type { Graph, Initializer, Node, ValueInfo } from '../types.ts'
import { allValues } from './rename.ts'
import { Earlier, type Surroundings } from './upgrades/change.ts'
import { nextChange } from './upgrades/table.ts'
import { mapSubgraphs, reads } from './walk.ts'

/** The newest version that is raised to. */
const NEWEST = 17

/**
 * The graph with its standard operators in the form and meaning of a newer operator set.
 *
 * @example
 * ```ts
 * const graph = upgrade(await readOnnx('mobilenet-opset9.onnx')) // graph.opsets.get('') is 17
 * ```
 *
 * @remarks
 * What changed from version to version is written down node by node: attributes that became inputs (`axes` of Squeeze, `min` of Clip), other
 * defaults (RoiAlign), and other meanings (Softmax over an inner axis becomes Flatten, Softmax and Reshape; Upsample becomes Resize). Values keep
 * their names, sub-graphs are raised too. Other domains and functions (which state versions of their own) stay as they are. Where an initializer
 * had to be an input as well (IR versions before 4) it is a constant, and is an input no longer. A graph that is at least as new is given
 * back as it is. The changes are those of https://onnx.ai/onnx/operators/, by operator.
 *
 * @param version 1 to 17, the default
 * @throws `OPERATOR_UNSUPPORTED` for an operator that newer sets cannot express: it names the node and the version; `OPTION_INVALID` for
 *   a version that is not known
 */
export function upgrade(graph: Graph, version = NEWEST): Graph {
  if (!Number.isInteger(version) || version < 1 || version > NEWEST) {
    throw new PipiloError(
      'OPTION_INVALID',
      `A graph is raised to operator set 1 to ${NEWEST}, not ${version}.`,
    )
  }
  const domain = graph.opsets.has('ai.onnx') && !graph.opsets.has('') ? 'ai.onnx' : ''
  // Before IR version 3 there was one operator set.
  const from = graph.opsets.get(domain) ?? ((graph.irVersion ?? NEWEST) < 3 ? 1 : NEWEST)
  if (from >= version) return graph
  const raised = raisedGraph(graph, new Map(), { model: graph, from, version, taken: allValues(graph) })
  return { ...constantInitializers(raised), opsets: new Map(graph.opsets).set(domain, version) }
}

interface Way {
  readonly model: Graph
  readonly from: number
  readonly version: number
  /** Names that values have, in sub-graphs too; new ones are added. */
  readonly taken: Set<string>
}

function raisedGraph(graph: Graph, outer: ReadonlyMap<string, Fact>, way: Way): Graph {
  const facts = factsOf(graph, outer, way.model)
  const constants = new Map<string, Initializer>()
  const around = surroundings(graph, facts, constants, way.taken)
  const nodes = graph.nodes
    .map((node) => mapSubgraphs(node, (inner) => raisedGraph(inner, facts, way)))
    .flatMap((node) => raisedNode(node, way.from, way.version, around))
  if (constants.size === 0 && nodes.every((node, i) => node === graph.nodes[i])) return graph
  return { ...graph, nodes, initializers: new Map([...graph.initializers, ...constants]) }
}

/** A node after all changes of its operator, and of the operators that it became. */
function raisedNode(node: Node, from: number, version: number, around: Surroundings): readonly Node[] {
  if (node.domain !== '' && node.domain !== 'ai.onnx') return [node]
  const next = nextChange(node.op, from, version)
  if (!next) return [node]
  const made = next.change(new Earlier(node, around))
  return ([made].flat() as readonly Node[]).flatMap((one) => raisedNode(one, next.version, version, around))
}

function surroundings(
  graph: Graph,
  facts: ReadonlyMap<string, Fact>,
  constants: Map<string, Initializer>,
  taken: Set<string>,
): Surroundings {
  const read = new Set([...graph.nodes.flatMap(reads), ...graph.outputs.map(({ name }) => name)])
  const known = new Map<string, string>()
  const fresh = (name: string) => {
    let candidate = name
    for (let i = 2; taken.has(candidate); i++) candidate = `${name}_${i}`
    taken.add(candidate)
    return candidate
  }
  const made = (dtype: DType, shape: readonly number[], elements: readonly number[]) => {
    const text = `${dtype}${shape.length === 0 ? `(${elements})` : `[${elements}]`}`
    const name = known.get(text) ?? fresh(constantName(text.length <= 80 ? text : dtype))
    known.set(text, name)
    constants.set(name, tensor(dtype, shape, elements))
    return name
  }
  const factOfMade = (name: string): Fact | undefined => {
    const constant = constants.get(name)
    if (!constant || !('data' in constant)) return undefined
    const { dtype, shape, data } = constant
    return {
      type: { kind: 'tensor', dtype, shape },
      content: Array.from(data as ArrayLike<number | bigint>, Number),
    }
  }
  return {
    fact: (name) => facts.get(name) ?? factOfMade(name) ?? {},
    constant: made,
    fresh,
    isRead: (name) => read.has(name),
  }
}

/** Facts of a graph's values; for a sub-graph, those around it as well. */
function factsOf(graph: Graph, outer: ReadonlyMap<string, Fact>, model: Graph): ReadonlyMap<string, Fact> {
  return inferFacts({ ...graph, opsets: model.opsets, functions: model.functions }, {}, outer)
}

/** Before IR version 4 every initializer was an input too, and yet a constant. */
function constantInitializers(graph: Graph): Graph {
  const irVersion = Math.max(graph.irVersion ?? 8, 8)
  if ((graph.irVersion ?? 8) >= 4) return { ...graph, irVersion }
  const isFed = ({ name }: ValueInfo) => !graph.initializers.has(name)
  return { ...graph, irVersion, inputs: graph.inputs.filter(isFed) }
}
