// Use of a foreign ONNX graph that takes neither texts nor pictures: numbers in, and whatever the caller taps out.
import type { Graph } from '../../graph/index.ts'
import type { Card } from '../types.ts'
import type { FoundCard } from './foundModel.ts'
import { belowHead } from './onnxOutputs.ts'

/** The graph and its card: the first output that is a tensor is tapped, and nothing is said of its pooling. */
export function tensorUse(
  graph: Graph,
  common: Pick<FoundCard, 'description' | 'licence' | 'featureAxis'>,
): { readonly graph: Graph; readonly card: FoundCard } {
  const output = graph.outputs.find(({ type }) => type === undefined || type.kind === 'tensor')
  const penultimate = belowHead(graph)
  const card: FoundCard = {
    ...common,
    ...(penultimate !== undefined && { penultimate }),
    modality: 'tensor',
    // A graph of sequences alone has nothing to embed, and can be looked at all the same.
    tap: output?.name ?? '',
    pool: 'mean',
    normalize: false,
    dimensions: 0,
    notes: 'The file says nothing of its use: it takes tensors as they are.',
  }
  return { graph, card }
}

/** The card of a model that is fed tensors, whatever else it takes. */
export function tensorCard(graph: Graph, card: Card): Card {
  if (card.modality === 'tensor') return card
  const { text: _, image: __, duplicates: ___, ...rest } = card
  return { ...tensorUse(graph, rest).card, name: card.name, source: card.source }
}
