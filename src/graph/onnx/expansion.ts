// Bounds what the functions of a model amount to once each stands at its calls.
import { PipiloError } from '../../base/index.ts'
import { functionKey, subgraphs } from '../passes/walk.ts'
import type { Graph, GraphFunction, Node } from '../types.ts'

/** Most nodes of a model with all functions put in place: opening looks at each, and ONNX Runtime too. The largest exports have some ten thousand. */
const MOST_NODES = 50_000
/** Most functions that call each other in a row, and graphs in each other. */
const DEEPEST = 100

/**
 * Refuses functions that call themselves, and those that amount to more than any network has: a few bytes, of which each doubles the rest.
 *
 * @throws PipiloError `FORMAT_INVALID`, `FORMAT_UNSUPPORTED`
 */
export function checkExpansion(
  { nodes, functions }: Pick<Graph, 'nodes' | 'functions'>,
  label: string,
): void {
  const byKey = new Map(functions.map((fn) => [functionKey(fn.domain, fn.name, fn.overload), fn]))
  const known = new Map<GraphFunction, Extent | undefined>()
  const refused = (sentence: string, code: 'FORMAT_INVALID' | 'FORMAT_UNSUPPORTED' = 'FORMAT_UNSUPPORTED') =>
    new PipiloError(code, `${label} ${sentence}.`, { input: label })
  const tooDeep = () => refused(`has functions that call each other more than ${DEEPEST} deep`)
  /** @param depth of the calls so far, which must not end the stack */
  const extentOf = (inside: readonly Node[], depth: number): Extent => {
    if (depth > DEEPEST) throw tooDeep()
    const whole = { nodes: 0, depth: 0 }
    const add = (inner: Extent) => {
      whole.nodes += inner.nodes
      whole.depth = Math.max(whole.depth, inner.depth + 1)
    }
    for (const node of inside) {
      whole.nodes += 1
      for (const graph of subgraphs(node)) add(extentOf(graph.nodes, depth + 1))
      const called = byKey.get(functionKey(node.domain, node.op, node.overload))
      if (called) add(extentOfFunction(called, depth + 1))
    }
    if (whole.depth <= DEEPEST) return whole
    throw tooDeep()
  }
  const extentOfFunction = (fn: GraphFunction, depth: number): Extent => {
    const found = known.get(fn)
    if (found) return found
    if (known.has(fn)) throw refused(`has a function ${fn.name} that calls itself`, 'FORMAT_INVALID')
    // Undefined while it is looked into.
    known.set(fn, undefined)
    const extent = extentOf(fn.nodes, depth)
    known.set(fn, extent)
    return extent
  }
  for (const fn of functions) extentOfFunction(fn, 0)
  const { nodes: count } = extentOf(nodes, 0)
  if (count <= MOST_NODES) return
  throw refused(
    `amounts to ${count} nodes, functions in the place of their calls, and ${MOST_NODES} are the most that are read`,
  )
}

/** Nodes of a list with all that they call, and how deep that nests. */
interface Extent {
  readonly nodes: number
  readonly depth: number
}
