// Pooling of tensors of any graph: which axis holds the features is read from the operators behind them, and never guessed.
import { PipiloError } from '../../base/index.ts'
import { type Graph, type Node, NodeAttributes, op, type Shape, type Value } from '../../graph/index.ts'
import { pool } from '../../nn/index.ts'
import type { Card, Pooling } from '../types.ts'
import { embeddingOutput } from './savedKeys.ts'

/** A tap, and all that is said of its pooling. */
interface Tapped {
  /** The layer as the caller calls it. */
  readonly tap: string
  readonly card: Pick<Card, 'tap' | 'pool' | 'featureAxis'>
  /** Undefined where neither caller nor card have said it. */
  readonly pooling: Pooling | undefined
}

/** The pooling that a caller or a saved card names; a card that was guessed names none. */
export function saidPooling(
  card: Pick<Card, 'tap' | 'pool'>,
  asked: Pooling | undefined,
): Pooling | undefined {
  return asked ?? (card.pool === 'mean' && card.tap !== embeddingOutput ? undefined : card.pool)
}

/** True for [batch, features], and for axes of 1 in between: one vector an input, however it is pooled. */
export function isVector(shape: Shape): boolean {
  return shape.length >= 2 && shape.slice(1, -1).every((size) => size === 1)
}

/**
 * One row an input: [batch, features], or for `none` [batch, positions, features].
 *
 * @param name of the tapped value in `graph`
 * @throws PipiloError `OPTION_INVALID` where a pooling is needed and none is said, or where it is not known which axis holds the features
 */
export function poolTensor(value: Value, name: string, graph: Graph, { tap, card, pooling }: Tapped): Value {
  const { type } = value
  const shape = type?.kind === 'tensor' ? type.shape : undefined
  const rank = shape?.length ?? 0
  if (!shape || rank === 0) {
    const what = shape ? 'is one number for a whole batch' : 'has a shape that is not known'
    throw new PipiloError('OPTION_INVALID', `Layer ${tap} ${what}.`, {
      input: tap,
      hint: 'Tap another layer, see layers(); run() gives any of them.',
    })
  }
  const text = `[${shape.map((size) => size || '?').join(', ')}]`
  if (rank === 1) return pooling === 'none' ? op.unsqueeze(value, [1, 2]) : op.unsqueeze(value, [1])
  if (isVector(shape)) {
    const vector =
      rank === 2
        ? value
        : op.squeeze(
            value,
            Array.from({ length: rank - 2 }, (_, i) => i + 1),
          )
    return pooling === 'none' ? op.unsqueeze(vector, [1]) : vector
  }
  if (pooling === undefined) {
    throw new PipiloError(
      'OPTION_INVALID',
      `Layer ${tap} is ${text}, and nobody has said how it becomes one vector.`,
      {
        input: 'pool',
        hint: `Say it: pool: 'mean' or 'max' over all axes but the batch and the features, ${rank === 3 ? "'cls' or 'last' of the axis in between, " : ''}'flatten' for all numbers, 'none' for a Matrix of positions × features.`,
      },
    )
  }
  if (pooling === 'flatten') return op.flatten(value)
  if (rank > 3 && (pooling === 'cls' || pooling === 'last')) {
    throw new PipiloError(
      'OPTION_INVALID',
      `Layer ${tap} ${text} has no one axis to take the ${pooling === 'cls' ? 'first' : 'last'} of.`,
      {
        input: 'pool',
        hint: "Choose 'mean', 'max', 'flatten' or 'none'.",
      },
    )
  }
  const features = axisOf(card.featureAxis, rank, tap) ?? featureAxis(graph, name)
  if (features === undefined) {
    throw new PipiloError(
      'OPTION_INVALID',
      `The graph does not show which axis of ${tap} ${text} holds its features.`,
      {
        input: 'featureAxis',
        hint: "Say it with card: { featureAxis: 1 } (-1 for the last); pool: 'flatten' needs none.",
      },
    )
  }
  return pool(asTokens(value, features), pooling)
}

/** [batch, positions, features] of a tensor of any rank. */
function asTokens(value: Value, features: number): Value {
  const rank = value.shape.length
  const inner = Array.from({ length: rank - 1 }, (_, i) => i + 1).filter((axis) => axis !== features)
  const last = features === rank - 1 ? value : op.transpose(value, [0, ...inner, features])
  if (rank === 3) return last
  const size = last.shape.at(-1)
  // The features keep their number: known, or else counted when it runs.
  if (typeof size === 'number') return op.reshape(last, [0, -1, size])
  const flat = op.reshape(op.transpose(last, [0, rank - 1, ...inner.map((_, i) => i + 1)]), [0, 0, -1])
  return op.transpose(flat, [0, 2, 1])
}

function axisOf(said: number | undefined, rank: number, tap: string): number | undefined {
  if (said === undefined) return undefined
  const axis = said < 0 ? said + rank : said
  if (Number.isInteger(axis) && axis >= 1 && axis < rank) return axis
  throw new PipiloError(
    'OPTION_INVALID',
    `featureAxis is ${said}, and ${tap} has the axes 1 to ${rank - 1}.`,
    {
      input: 'featureAxis',
    },
  )
}

/** Operators whose result has its features on axis 1. */
const FIRST = new Set(
  'Conv ConvTranspose ConvInteger QLinearConv FusedConv MaxPool AveragePool LpPool GlobalAveragePool GlobalMaxPool BatchNormalization InstanceNormalization GroupNormalization LRN'.split(
    ' ',
  ),
)
/** Operators whose result has them on its last axis. */
const LAST = new Set(
  'LayerNormalization SimplifiedLayerNormalization SkipLayerNormalization SkipSimplifiedLayerNormalization RMSNormalization EmbedLayerNormalization Attention MultiHeadAttention Gemm'.split(
    ' ',
  ),
)
/** Products with a weight: features of a computed left side by a constant right one. */
const PRODUCTS = new Set('MatMul FusedMatMul MatMulInteger MatMulNBits DynamicQuantizeMatMul'.split(' '))
/** Operators that leave every axis where it is. */
const ALIKE = new Set(
  'Relu LeakyRelu PRelu Elu Selu Celu Gelu BiasGelu FastGelu QuickGelu Mish Swish HardSwish HardSigmoid Sigmoid Tanh Softplus Softsign Erf Clip Exp Log Sqrt Abs Neg Pow Reciprocal Identity Dropout Cast Softmax LogSoftmax Add Sub Mul Div Max Min Sum Mean Where Concat Pad Slice Resize Upsample QuantizeLinear DequantizeLinear QLinearAdd QLinearMul QLinearLeakyRelu QLinearSigmoid DynamicQuantizeLinear'.split(
    ' ',
  ),
)

/** The axis of a value that holds its features, as the operators behind it say; undefined where they do not. */
function featureAxis(graph: Graph, name: string): number | undefined {
  const producers = new Map(
    graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)),
  )
  const shapes = new Map(
    [...graph.inputs, ...graph.values.values(), ...graph.outputs].map(({ name, type }) => [
      name,
      type?.kind === 'tensor' ? type.shape : undefined,
    ]),
  )
  const known = new Map<string, number | undefined>()
  const visit = (value: string): number | undefined => {
    if (known.has(value)) return known.get(value)
    known.set(value, undefined)
    const node = producers.get(value)
    const axis = node && axisAfter(node, value)
    known.set(value, axis)
    return axis
  }
  const rankOf = (value: string) => shapes.get(value)?.length
  const axisAfter = (node: Node, value: string): number | undefined => {
    const rank = rankOf(value)
    const { op, inputs } = node
    if (rank === undefined || rank < 2) return undefined
    if (FIRST.has(op)) return 1
    if (LAST.has(op)) return rank - 1
    const [input = '', second = ''] = inputs
    if (PRODUCTS.has(op)) return graph.initializers.has(second) ? rank - 1 : undefined
    if (op === 'Gather') return graph.initializers.has(input) ? rank - 1 : undefined
    if (ALIKE.has(op)) {
      const found = inputs.filter((one) => rankOf(one) === rank).map(visit)
      const axes = new Set(found.filter((axis) => axis !== undefined))
      return axes.size === 1 ? [...axes][0] : undefined
    }
    const before = visit(input)
    if (before === undefined) return undefined
    if (op === 'Transpose') {
      const perm = new NodeAttributes(node).ints('perm')
      const axis = perm?.indexOf(before) ?? rank - 1 - before
      return axis >= 1 ? axis : undefined
    }
    if (op === 'Reshape' || op === 'Squeeze' || op === 'Unsqueeze') {
      return keptAxis(before, shapes.get(input), shapes.get(value))
    }
    return undefined
  }
  return visit(name)
}

/** Place of an axis after a reshape that leaves it, and all before or all behind it, as they are. */
function keptAxis(axis: number, from: Shape | undefined, to: Shape | undefined): number | undefined {
  if (!from || !to) return undefined
  const same = (a: Shape, b: Shape) =>
    a.length === b.length && a.every((size, i) => size !== '' && size === b[i])
  if (same(from.slice(0, axis + 1), to.slice(0, axis + 1))) return axis
  const tail = from.length - axis
  const found = to.length - tail
  return found >= 1 && same(from.slice(axis), to.slice(found)) ? found : undefined
}
