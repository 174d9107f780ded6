// Builds the graph of an embedding: tap, pooling, dimensions, normalisation.
import { PipiloError } from '../../base/index.ts'
import { Builder, cut, type Graph, op, randomOperators, reads, type Value } from '../../graph/index.ts'
import { l2Normalize, pool, takeFirst } from '../../nn/index.ts'
import type { Card, EmbeddingOptions, Model, Pooling } from '../types.ts'
import { mixesRows, withFixedBatch, withoutBatch } from './batch.ts'
import { resolvePlace } from './places.ts'
import { withPreprocessing } from './preprocessing.ts'
import { embeddingOutput } from './savedKeys.ts'
import { poolTensor, saidPooling } from './tensorPooling.ts'

/** Inputs that a graph of texts keeps, whether they are needed or not. */
const textInputs = ['input_ids', 'attention_mask', 'token_type_ids', 'offsets']

/** The options of an embedding with the card's defaults filled in. */
export interface ResolvedEmbedding {
  readonly taps: readonly string[]
  readonly pool: Pooling
  /** True where the caller or a saved card names the pooling. */
  readonly said: boolean
  readonly normalize: boolean
  readonly dimensions: number | undefined
  readonly preprocess: boolean
}

/** Fills in what the card says. */
export function resolveEmbedding(card: Card, options: EmbeddingOptions): ResolvedEmbedding {
  const taps = [options.tap ?? card.tap].flat()
  if (taps.length === 0) throw new PipiloError('OPTION_INVALID', 'An embedding needs at least one tap.')
  return {
    taps,
    pool: options.pool ?? card.pool,
    said: saidPooling(card, options.pool) !== undefined,
    normalize: options.normalize ?? card.normalize,
    dimensions: options.dimensions,
    preprocess: options.preprocess ?? true,
  }
}

/** Parts of a model that an embedding is made from. */
export type EmbeddedModel = Pick<Model, 'graph' | 'card' | 'places'>

/** The graph whose one output `embedding` is what {@link resolveEmbedding} asks for. */
export function embeddingGraph(model: EmbeddedModel, wanted: ResolvedEmbedding): Graph {
  const { graph, card, places } = model
  if (card.modality === 'tensor') checkTaps(wanted.taps, card)
  const values = wanted.taps.map((tap) => resolvePlace(model, tap))
  // Texts and pictures fill the inputs that they have; of tensors nobody has to give what has no effect.
  const keepInputs = card.modality !== 'tensor'
  const below = cut(graph, values, { keepInputs })
  const [random] = randomOperators(below)
  if (random !== undefined) {
    throw new PipiloError(
      'OPTION_INVALID',
      `${wanted.taps.join(', ')} of ${card.name} stands behind ${random}, which draws other numbers each time: it is no embedding.`,
      {
        input: wanted.taps.join(','),
        hint: 'Choose a layer below with tap, such as the mean of a latent; see layers().',
      },
    )
  }
  const builder = Builder.from(below, { outputs: 'clear' })
  const mask = card.modality === 'text' ? attentionMask(builder) : undefined
  const pooled = values.map((name, i) => {
    const numbers = asFloat32(builder.value(name), wanted.taps[i] ?? name)
    if (card.modality === 'tensor') {
      const tapped = { tap: wanted.taps[i] ?? name, card, pooling: wanted.said ? wanted.pool : undefined }
      return builder.scope('pooling', () => poolTensor(numbers, name, graph, tapped))
    }
    const value = tokensOf(numbers, places?.channelsLast ?? false)
    checkRank(value, card, wanted.pool, wanted.taps[i] ?? name)
    return builder.scope('pooling', () => pooledBy(wanted.pool, value, mask))
  })
  let result = pooled[0]!
  if (pooled.length > 1) {
    result = builder.scope('concatenation', () => op.concat(pooled.map(l2Normalize), -1))
  }
  const isOne =
    wanted.normalize && wanted.pool !== 'none' && (result.shape.at(-1) === 1 || wanted.dimensions === 1)
  if (card.modality === 'image' && isOne) {
    throw new PipiloError(
      'OPTION_INVALID',
      `${wanted.taps.join(', ')} of ${card.name} has one number a picture, which normalised is the same for nearly all.`,
      { input: wanted.taps.join(','), hint: 'Choose another layer with tap, or normalize: false.' },
    )
  }
  if (wanted.dimensions !== undefined) result = takeFirst(result, wanted.dimensions)
  if (wanted.normalize) result = builder.scope('normalization', () => l2Normalize(result))
  builder.output(embeddingOutput, result)
  const whole = builder.build()
  // Inputs that have a value are not fed, nor those of texts that the tap has no need of, such as a decoder's.
  const needed = new Set(whole.nodes.flatMap(reads))
  const isNeeded = (name: string) => card.modality !== 'text' || needed.has(name) || textInputs.includes(name)
  const inputs = whole.inputs.filter(({ name }) => !whole.initializers.has(name) && isNeeded(name))
  const fact = (name: string) => (builder.has(name) ? builder.value(name).fact : undefined)
  if (card.modality === 'tensor') {
    const graph = { ...whole, inputs }
    return mixesRows(graph, fact) ? withoutBatch(graph) : graph
  }
  const built = withFixedBatch({ ...whole, inputs }, fact)
  return card.modality === 'image' && wanted.preprocess ? withPreprocessing(built, card) : built
}

function pooledBy(pooling: Pooling, value: Value, mask: Value | undefined): Value {
  if (pooling !== 'flatten') return pool(value, pooling, mask)
  // Vectors of one length need the same number of positions in every input.
  if (mask === undefined) return op.flatten(value)
  throw new PipiloError(
    'OPTION_INVALID',
    'Texts have different numbers of tokens, and cannot be flattened.',
    {
      input: 'pool',
      hint: "Choose 'mean', 'cls', 'last' or 'max'; 'none' gives a row for each token.",
    },
  )
}

/** Refuses to embed what a graph that has no tensor to tap gives. */
function checkTaps(taps: readonly string[], { name }: Card): void {
  if (!taps.includes('')) return
  throw new PipiloError('OPTION_INVALID', `${name} has no output that is a tensor.`, {
    input: 'tap',
    hint: 'Name a layer with tap; see layers().',
  })
}

/** Numbers as embeddings hold them: halves and doubles, and the bytes of quantised vectors, become float32. */
function asFloat32(value: Value, tap: string): Value {
  const { dtype } = value
  if (dtype === 'float32') return value
  if (/^b?float|^u?int8$/.test(dtype)) return value.builder.scope('pooling', () => op.cast(value, 'float32'))
  throw new PipiloError('DTYPE_MISMATCH', `Layer ${tap} is ${dtype}, and an embedding is made of floats.`, {
    input: tap,
    hint: 'Choose another layer; see layers().',
  })
}

/** A map whose channels stand last, as tokens: poolings take maps with their channels first. */
function tokensOf(value: Value, channelsLast: boolean): Value {
  if (!channelsLast || value.shape.length !== 4) return value
  return op.reshape(value, [0, -1, value.shape[3] as number])
}

/** The mask of padding of a graph of texts, which gets one where it has none. */
export function attentionMask(builder: Builder): Value {
  if (builder.has('attention_mask')) return builder.value('attention_mask')
  return builder.input('attention_mask', 'int64', ['batch', 'sequence'])
}

/** Refuses poolings that would be ignored, or would mix up what is no token. */
function checkRank(value: Value, card: Card, pooling: Pooling, tap: string): void {
  const rank = value.shape.length
  const tokens = pooling === 'cls' || pooling === 'last'
  if (card.modality === 'text' && rank !== 2 && rank !== 3) {
    throw new PipiloError(
      'OPTION_INVALID',
      `Layer ${tap} is [${value.shape.join(', ')}], not a vector a token or a text.`,
      { input: tap, hint: 'Choose a layer of shape [batch, tokens, features]; see layers().' },
    )
  }
  if (rank === 2 && tokens && pooling !== card.pool) {
    throw new PipiloError(
      'OPTION_INVALID',
      `Layer ${tap} has one vector an input, and no ${pooling} token.`,
      {
        input: pooling,
        hint: "Choose a layer below, or leave the pooling at the card's.",
      },
    )
  }
}
