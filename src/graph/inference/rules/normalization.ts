/** Normalisation layers with more than one output, and losses. */
import type { Shape } from '../../types.ts'
import { type Call, type Rule, tensor } from '../rule.ts'

const batchNormalization: Rule = (call) => {
  const dtype = call.dtype(0)
  const shape = call.shape(0)
  const channels = shape?.[1]
  for (const index of [1, 2, 3, 4]) call.same(channels, call.shape(index)?.[0], 'channels')
  const statistics = tensor(call.dtype(3), channels === undefined ? undefined : [channels])
  return [tensor(dtype, shape), statistics, statistics, statistics, statistics]
}

/** The operator, and its statistics with 1 in the normalised axes. */
export const layerNormalization: Rule = (call) => {
  const shape = call.shape(0)
  call.sameDtype(0, 1)
  const statistics = shape && kept(call, shape)
  if (shape?.length && call.int('axis', -1) === -1)
    call.same(shape.at(-1), call.shape(1)?.at(-1), 'size of the scale')
  const dtype = call.int('stash_type', 1) === 1 ? 'float32' : call.dtype(0)
  return [tensor(call.dtype(0), shape), tensor(dtype, statistics), tensor(dtype, statistics)]
}

function kept(call: Call, shape: Shape): Shape {
  const axis = call.axis(call.int('axis', -1), shape.length)
  return shape.map((dimension, i) => (i < axis ? dimension : 1))
}

const loss: Rule = (call) => {
  const scores = call.shape(0)
  const none = call.string('reduction') === 'none'
  const dtype = call.dtype(0)
  const value = none ? call.shape(1) : []
  return [tensor(dtype, value), tensor(dtype, scores)]
}

export const normalization = {
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  SoftmaxCrossEntropyLoss: loss,
  NegativeLogLikelihoodLoss: (call) => loss(call).slice(0, 1),
} satisfies Readonly<Record<string, Rule>>
