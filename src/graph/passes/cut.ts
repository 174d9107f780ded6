// Passes that make inner values outputs: `cut` in place of the graph's own, `tap` beside them.
import { inferShapes } from '../inference/infer.ts'
import type { Graph, ValueInfo } from '../types.ts'
import { resolveLayer } from './layers.ts'
import { innerValues, type PruneOptions, prune } from './prune.ts'
import { infoOf } from './walk.ts'

/**
 * The graph with inner values as its only outputs; what they do not need is deleted.
 *
 * @example
 * ```ts
 * cut(graph, 'global_pool') // a classifier without its head
 * cut(graph, ['encoder.layer.0', 'encoder.layer.11'])
 * ```
 *
 * @remarks
 * Layers, nodes and values are named as {@link resolveLayer} says; the outputs keep the values' own names (see `rename`).
 * Inputs that no output needs any more are dropped, so that nobody has to feed them, unless `keepInputs` is set.
 *
 * @throws `LAYER_UNKNOWN` with the closest names
 */
export function cut(graph: Graph, outputs: string | readonly string[], options: PruneOptions = {}): Graph {
  const names = new Set([outputs].flat().map((name) => resolveLayer(graph, name)))
  return prune(withOutputs(graph, [...names]), options)
}

/**
 * The graph with inner values as further outputs, after those that it has.
 *
 * @example
 * ```ts
 * tap(graph, 'layer1', 'layer2')
 * ```
 *
 * @remarks
 * A value that is an output already is not added twice. Names are those of {@link resolveLayer}.
 *
 * @throws `LAYER_UNKNOWN` with the closest names
 */
export function tap(graph: Graph, ...layers: readonly string[]): Graph {
  const added = layers.map((name) => resolveLayer(graph, name))
  return withOutputs(graph, [...new Set([...graph.outputs.map(({ name }) => name), ...added])])
}

function withOutputs(graph: Graph, names: readonly string[]): Graph {
  const untyped = names.some((name) => infoOf(graph, name)?.type === undefined)
  const typed = untyped ? inferShapes(graph) : graph
  const outputs = names.map((name): ValueInfo => infoOf(typed, name) ?? { name })
  return { ...graph, outputs, values: innerValues(graph, outputs) }
}
