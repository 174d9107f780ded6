// A model with another graph: the same one with other weights, or its embedding.
import type { Graph } from '../../graph/index.ts'
import type { Card, Model } from '../types.ts'
import { derivedFingerprint } from './derivedFingerprint.ts'
import { createModel } from './model.ts'

/**
 * The model with this graph in the place of its own, whose embedding is at `tap`: card, tokenizer and preparation stay.
 *
 * @param tap a value of the graph, and what else of the card is other there
 * @param change what was done: other changes make other fingerprints
 */
export function withGraph(
  model: Model,
  graph: Graph,
  tap: Pick<Card, 'tap' | 'dimensions'> & Partial<Pick<Card, 'pool' | 'normalize'>>,
  change = 'other graph',
): Model {
  const { penultimate, ...rest } = model.card
  const isThere =
    penultimate !== undefined && graph.nodes.some(({ outputs }) => outputs.includes(penultimate))
  return createModel({
    card: { ...rest, ...(isThere && { penultimate }), ...tap },
    graph,
    tokenizer: model.tokenizer,
    unused: [],
    fingerprint: derivedFingerprint(model.fingerprint, change),
    opened: { ...model.opened, changed: true },
  })
}
