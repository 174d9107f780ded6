// Pass that makes inner values inputs, so that a graph can be entered in the middle.
import { PipiloError } from '../../base/index.ts'
import { inferShapes } from '../inference/infer.ts'
import type { Graph } from '../types.ts'
import { resolveLayer } from './layers.ts'
import { prune } from './prune.ts'
import { allValues, renameValues } from './rename.ts'
import { infoOf } from './walk.ts'

/**
 * The graph with inner values as inputs, so that values of one's own can be fed in their place; what only they needed is
 * deleted, inputs as well. The counterpart of `cut`.
 *
 * @example
 * ```ts
 * feed(graph, { 'embeddings.word_embeddings': 'inputs_embeds' }) // vectors instead of token ids
 * compose(patches, feed(vit, { patch_embed: 'patches' }), { embedding: 'patches' })
 * ```
 *
 * @remarks
 * Keys are layers, nodes or values as {@link resolveLayer} names them, values are the names of the new inputs, which come before
 * the others. An output of the graph that is now fed is left out.
 *
 * @throws `LAYER_UNKNOWN` with the closest names, `GRAPH_INVALID` if a name is taken or no output is left
 */
export function feed(graph: Graph, layers: Readonly<Record<string, string>>): Graph {
  const names = new Map(Object.entries(layers).map(([layer, input]) => [resolveLayer(graph, layer), input]))
  const taken = allValues(graph)
  const given = [...names.values()]
  for (const [value, input] of names) {
    const unique = given.indexOf(input) === given.lastIndexOf(input)
    if (input !== '' && unique && (input === value || !taken.has(input))) continue
    throw new PipiloError('GRAPH_INVALID', `The input cannot be called ${input || 'nothing'}.`, {
      input,
      hint: 'Another value has that name.',
    })
  }
  const untyped = [...names.keys()].some((value) => infoOf(graph, value)?.type === undefined)
  const typed = untyped ? inferShapes(graph) : graph
  const inputs = [...names.keys()].map((value) => infoOf(typed, value) ?? { name: value })
  const without = <T>(map: ReadonlyMap<string, T>) => new Map([...map].filter(([name]) => !names.has(name)))
  const outputs = graph.outputs.filter(({ name }) => !names.has(name))
  if (outputs.length === 0) {
    throw new PipiloError('GRAPH_INVALID', 'All outputs of the graph would be fed.', {
      hint: 'Feed a layer before the last one.',
    })
  }
  const nodes = graph.nodes.map((node) => ({
    ...node,
    outputs: node.outputs.map((name) => (names.has(name) ? '' : name)),
  }))
  const fed: Graph = {
    ...graph,
    inputs: [...inputs, ...graph.inputs.filter(({ name }) => !names.has(name))],
    outputs,
    nodes: nodes.filter((node) => node.outputs.some((name) => name !== '')),
    initializers: without(graph.initializers),
    values: without(graph.values),
  }
  return prune(renameValues(fed, (name) => names.get(name) ?? name))
}
