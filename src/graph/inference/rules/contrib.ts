/** Operators of ONNX Runtime's own domain, `com.microsoft`, that optimised files hold. */
import type { Dimension, Shape } from '../../types.ts'
import { broadcast, type Call, type Rule, tensor } from '../rule.ts'
import { matMulShape } from './linear.ts'
import { layerNormalization } from './normalization.ts'

const same: Rule = (call) => [tensor(call.dtype(0), call.shape(0))]

function swapped(shape: Shape | undefined, transposed: boolean): Shape | undefined {
  if (!transposed || !shape || shape.length < 2) return shape
  return [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!]
}

const fusedMatMul: Rule = (call) => {
  // With transBatch the batch axes move too; that is rare enough to leave unknown.
  if (call.int('transBatchA', 0) || call.int('transBatchB', 0)) return [tensor(call.dtype(0))]
  const a = swapped(call.shape(0), call.int('transA', 0) !== 0)
  const b = swapped(call.shape(1), call.int('transB', 0) !== 0)
  return [tensor(call.dtype(0), matMulShape(call, a, b))]
}

const product: Rule = (call) => [tensor(call.dtype(0), matMulShape(call, call.shape(0), call.shape(1)))]

/** `[…, K]` times a packed weight of K × N. */
const packed: Rule = (call) => {
  const shape = call.shape(0)
  return [tensor(call.dtype(0), shape && [...shape.slice(0, -1), call.int('N') ?? ''])]
}

const attention: Rule = (call) => {
  const input = call.shape(0)
  const sizes = call.ints('qkv_hidden_sizes')
  const features = sizes?.[2] ?? third(call.shape(1)?.[1])
  return [tensor(call.dtype(0), input && [...input.slice(0, 2), features])]
}

const third = (size: Dimension | undefined): Dimension => (typeof size === 'number' ? size / 3 : '')

const multiHead: Rule = (call) => {
  const query = call.shape(0)
  const value = call.shape(2)
  if (query?.length !== 3) return [tensor(call.dtype(0))]
  return [tensor(call.dtype(0), value?.length === 3 ? [query[0]!, query[1]!, value[2]!] : query)]
}

const skipNormalization: Rule = (call) => {
  const shape = call.shape(0)
  const statistics = tensor('float32', shape && [...shape.slice(0, -1), 1])
  return [tensor(call.dtype(0), shape), statistics, statistics, tensor(call.dtype(0), shape)]
}

const embedNormalization: Rule = (call) => {
  const ids = call.shape(0)
  const features = call.shape(2)?.[1]
  const embedded = ids && features !== undefined ? [...ids, features] : undefined
  const dtype = call.dtype(2)
  return [tensor(dtype, embedded), tensor('int32', ids?.slice(0, 1)), tensor(dtype, embedded)]
}

const binary = (call: Call) => broadcast(call, call.shape(0), call.shape(1))
const broadcasting: Rule = (call) => [tensor(call.dtype(0), binary(call))]

export const contrib = {
  Gelu: same,
  FastGelu: same,
  QuickGelu: same,
  BiasGelu: same,
  BiasSplitGelu: (call) => {
    const shape = call.shape(0)
    return [tensor(call.dtype(0), shape && [...shape.slice(0, -1), half(shape.at(-1)!)])]
  },
  BiasAdd: same,
  BiasSoftmax: same,
  RotaryEmbedding: same,
  GroupNorm: same,
  LayerNormalization: layerNormalization,
  SimplifiedLayerNormalization: layerNormalization,
  SkipLayerNormalization: skipNormalization,
  SkipSimplifiedLayerNormalization: skipNormalization,
  EmbedLayerNormalization: embedNormalization,
  FusedMatMul: fusedMatMul,
  FusedMatMulActivation: fusedMatMul,
  TransposeMatMul: fusedMatMul,
  MatMulNBits: packed,
  DynamicQuantizeMatMul: product,
  MatMulIntegerToFloat: (call) => [tensor(call.dtype(2), matMulShape(call, call.shape(0), call.shape(1)))],
  Attention: attention,
  QAttention: (call) => [retyped(call)],
  MultiHeadAttention: multiHead,
  GroupQueryAttention: multiHead,
  QLinearAdd: broadcasting,
  QLinearMul: broadcasting,
  QuantizeLinear: (call) => [tensor(call.dtype(2) ?? 'uint8', call.shape(0))],
  DequantizeLinear: (call) => [tensor(call.dtype(1), call.shape(0))],
} satisfies Readonly<Record<string, Rule>>

const half = (size: Dimension): Dimension => (typeof size === 'number' ? size / 2 : '')

/** QAttention takes int8 and gives what its scale is. */
function retyped(call: Call) {
  const shape = call.shape(0)
  return tensor(call.dtype(3), shape && [...shape.slice(0, 2), third(call.shape(1)?.[1])])
}
