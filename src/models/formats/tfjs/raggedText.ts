// Turns the ragged inputs of Universal Sentence Encoders into padded token ids.
import { type Builder, op } from '../../../graph/index.ts'
import { PADDING } from '../../tokenizers/unigram.ts'
import { type Laid, OwnOrder } from './laid.ts'
import type { NodeDef, NodeGraph } from './nodeDefs.ts'
import type { Weights } from './weights.ts'

/** A text model that takes a sparse matrix of token ids, made to take a padded one. */
export interface RaggedText {
  readonly nodes: NodeGraph
  /** How many tokens of a text it reads, where it says so. */
  readonly maxLength: number | undefined
  readonly add: (builder: Builder) => ReadonlyMap<string, Laid>
}

/** Name of the value [texts, tokens]. */
const EXTENT = 'every_text'

/**
 * Universal Sentence Encoders take the tokens of all texts in one vector, `values`, and the place [text, position] of each in
 * `indices`. Here the graph makes both from `input_ids` and `attention_mask`; ids of {@link PADDING} count as no token, so that
 * an empty text is none.
 *
 * Such a model makes its matrix as large as the last place in it, which loses texts without a token at the end: here it is as
 * large as `input_ids`.
 *
 * @returns undefined for a model with other inputs
 */
export function raggedText(graph: NodeGraph, weights: Weights): RaggedText | undefined {
  const inputs = [...graph.nodes.values()].filter((node) => node.op === 'Placeholder')
  if (
    inputs
      .map(({ name }) => name)
      .sort()
      .join() !== 'indices,values'
  )
    return undefined
  const maxLength = limitOf(graph, weights)
  return {
    nodes: withExtent(graph),
    maxLength,
    add(builder) {
      const ids = builder.input('input_ids', 'int64', ['batch', 'sequence'])
      const mask = builder.input('attention_mask', 'int64', ['batch', 'sequence'])
      return builder.scope('tokens', () => {
        const present = op.and(op.cast(mask, 'bool'), op.not(op.equal(ids, PADDING)))
        const indices = op.transpose(op.nonZero(present), [1, 0])
        const width = op.shape(ids, 1, 2)
        const read = maxLength === undefined ? width : op.min(width, builder.constant([maxLength]))
        return new Map([
          ['indices', new OwnOrder(indices, true)],
          ['values', new OwnOrder(op.gatherND(ids, indices))],
          [EXTENT, new OwnOrder(op.concat([op.shape(ids, 0, 1), read], 0))],
        ])
      })
    },
  }
}

/** The graph with every dense matrix made as large as the texts. */
function withExtent({ nodes, ...graph }: NodeGraph): NodeGraph {
  const extent: NodeDef = { name: EXTENT, op: 'Placeholder', inputs: [], attributes: {} }
  const changed = new Map<string, NodeDef>([[EXTENT, extent]])
  for (const node of nodes.values()) {
    const [indices, shape, ...rest] = node.inputs
    const widen = node.op === 'SparseToDense' && indices && shape
    const inputs = widen ? [indices, { node: EXTENT, output: 0 }, ...rest] : node.inputs
    changed.set(node.name, { ...node, inputs })
  }
  return { ...graph, nodes: changed }
}

/** The number with which the model compares the positions in `indices`, to leave out those behind. */
function limitOf({ nodes }: NodeGraph, weights: Weights): number | undefined {
  for (const { op: kind, inputs } of nodes.values()) {
    const [left, right] = inputs.map(({ node }) => nodes.get(node))
    if (kind !== 'Less' || left?.op !== 'StridedSlice' || right?.op !== 'Const') continue
    if (left.inputs[0]?.node !== 'indices') continue
    const limit = Number(weights.get(right.name)?.data[0])
    if (Number.isSafeInteger(limit) && limit > 0) return limit
  }
  return undefined
}
