/**
 * Layers. Each opens the scope `name` and asks for its parameters under the scope's path, so scopes and PyTorch's
 * parameter names are the same: inside `encoder.layer.0`, `linear(parameters, 'query', x, 64)` reads
 * `encoder.layer.0.query.weight`.
 */

import { PipiloError } from '../../base/index.ts'
import { op, type Value } from '../../graph/index.ts'
import { tensor } from '../../tensor/index.ts'
import type { Initialization, Mode, Parameters } from '../types.ts'
import { keepMask, keepRows } from './masks.ts'

/** How weight and bias are drawn when there is no checkpoint. */
export interface LayerInit {
  readonly weight?: Initialization
  readonly bias?: Initialization
}

/** The size of an axis that must be a number for parameters to have a shape. */
function size(x: Value, axis: number): number {
  const dimension = x.shape.at(axis)
  if (typeof dimension === 'number') return dimension
  throw new PipiloError(
    'SHAPE_MISMATCH',
    `A layer at ${JSON.stringify(x.builder.path)} needs a known size on axis ${axis} of [${x.shape.join(', ')}].`,
    { input: x.name },
  )
}

/**
 * `x Wᵀ + b` over the last axis, with PyTorch's weight [out, in].
 *
 * @param options.bias default `true`
 */
export function linear(
  parameters: Parameters,
  name: string,
  x: Value,
  features: number,
  options: { readonly bias?: boolean; readonly init?: LayerInit } = {},
): Value {
  return x.builder.scope(name, { kind: 'Linear' }, () => {
    const { builder } = x
    const inputs = size(x, -1)
    const bound = 1 / Math.sqrt(inputs)
    const { weight: weightInit, bias: biasInit } = options.init ?? {}
    const weight = parameters.weight(
      `${builder.path}.weight`,
      [features, inputs],
      weightInit ?? { kind: 'kaiming_uniform', a: Math.sqrt(5) },
    )
    const product = op.matMul(x, op.transpose(weight, [1, 0]))
    if (options.bias === false) return product
    const bias = parameters.weight(
      `${builder.path}.bias`,
      [features],
      biasInit ?? { kind: 'uniform', a: -bound, b: bound },
    )
    return op.add(product, bias)
  })
}

/** Rows of a table [count, features] at integer indices of any shape. */
export function embedding(
  parameters: Parameters,
  name: string,
  indices: Value,
  count: number,
  features: number,
  init: Initialization = { kind: 'normal', std: 1 },
): Value {
  return indices.builder.scope(name, { kind: 'Embedding' }, () =>
    op.gather(parameters.weight(`${indices.builder.path}.weight`, [count, features], init), indices),
  )
}

/**
 * Layer normalisation over the last axis (https://arxiv.org/abs/1607.06450).
 *
 * @param epsilon default 1e-5
 * @param options.bias default `true`
 * @param options.init how the scale is drawn when there is no checkpoint. Default: ones
 */
export function layerNorm(
  parameters: Parameters,
  name: string,
  x: Value,
  epsilon = 1e-5,
  options: { readonly bias?: boolean; readonly init?: Initialization } = {},
): Value {
  return x.builder.scope(name, { kind: 'LayerNorm' }, () => {
    const { path } = x.builder
    const features = size(x, -1)
    const weight = parameters.weight(`${path}.weight`, [features], options.init ?? { kind: 'ones' })
    const bias =
      options.bias === false ? undefined : parameters.weight(`${path}.bias`, [features], { kind: 'zeros' })
    return op.layerNormalization(x, weight, bias, { epsilon })
  })
}

/** Normalisation by the root of the mean square, over the last axis (https://arxiv.org/abs/1910.07467). */
export function rmsNorm(parameters: Parameters, name: string, x: Value, epsilon: number): Value {
  return x.builder.scope(name, { kind: 'RMSNorm' }, () => {
    const weight = parameters.weight(`${x.builder.path}.weight`, [size(x, -1)], { kind: 'ones' })
    // In this order ONNX Runtime makes one operator of it.
    const meanSquare = op.reduceMean(op.pow(x, 2), [-1], { keepDims: true })
    return op.mul(op.div(x, op.sqrt(op.add(meanSquare, epsilon))), weight)
  })
}

export interface Conv2dOptions {
  /** Height and width. One number is both. */
  readonly kernel: number | readonly [number, number]
  /** Default 1. */
  readonly stride?: number | readonly [number, number]
  /**
   * On both sides; `same` is TensorFlow's: what makes the output ⌈size / stride⌉, the larger part behind, for a picture of known
   * size. Default 0.
   */
  readonly padding?: number | readonly [number, number] | 'same'
  /** Default 1. */
  readonly dilation?: number | readonly [number, number]
  /** Default 1. */
  readonly groups?: number
  /** Default `true`. */
  readonly bias?: boolean
  /**
   * The weights of each output are shifted to a mean of 0 and scaled to a variance of 1 (https://arxiv.org/abs/1903.10520), with this
   * epsilon. Default: they are taken as they are.
   */
  readonly standardize?: number
  readonly init?: LayerInit
}

/** Convolution over [batch, channels, height, width], weight [out, in / groups, ...kernel]. */
export function conv2d(
  parameters: Parameters,
  name: string,
  x: Value,
  channels: number,
  options: Conv2dOptions,
): Value {
  return x.builder.scope(name, { kind: 'Conv2d' }, () => {
    const { path } = x.builder
    const { groups = 1, init } = options
    const both = (value: number | readonly [number, number]) =>
      typeof value === 'number' ? ([value, value] as const) : value
    const kernel = both(options.kernel)
    const stride = both(options.stride ?? 1)
    const dilation = both(options.dilation ?? 1)
    const inputs = size(x, 1) / groups
    const bound = 1 / Math.sqrt(inputs * kernel[0] * kernel[1])
    const weight = parameters.weight(
      `${path}.weight`,
      [channels, inputs, ...kernel],
      init?.weight ?? { kind: 'kaiming_uniform', a: Math.sqrt(5) },
    )
    const bias =
      options.bias === false ? undefined : convolutionBias(parameters, `${path}.bias`, channels, bound, init)
    const { standardize } = options
    const used = standardize === undefined ? weight : standardized(weight, standardize)
    return op.conv(x, used, bias, {
      strides: stride,
      pads:
        options.padding === 'same'
          ? samePads([size(x, 2), size(x, 3)], kernel, stride, dilation)
          : [...both(options.padding ?? 0), ...both(options.padding ?? 0)],
      dilations: dilation,
      group: groups,
    })
  })
}

/** The weights [out, ...] of each output with a mean of 0 and a variance of 1. */
function standardized(weight: Value, epsilon: number): Value {
  const [outputs, ...rest] = weight.shape as number[]
  const filled = (value: number) =>
    weight.builder.constant(tensor('float32', [outputs!], Array(outputs).fill(value)))
  const rows = op.reshape(weight, [1, outputs!, -1])
  const normed = op.instanceNormalization(rows, filled(1), filled(0), epsilon)
  return op.reshape(normed, [outputs!, ...rest])
}

type Pair = readonly [number, number]

/** Pads of TensorFlow's `SAME`: [top, left, bottom, right]. */
export function samePads(image: Pair, kernel: Pair, stride: Pair, dilation: Pair): number[] {
  const total = ([0, 1] as const).map((axis) => {
    const covered = (Math.ceil(image[axis] / stride[axis]) - 1) * stride[axis]
    return Math.max(0, covered + (kernel[axis] - 1) * dilation[axis] + 1 - image[axis])
  })
  const before = total.map((pad) => Math.floor(pad / 2))
  return [...before, ...total.map((pad, axis) => pad - before[axis]!)]
}

/** Options of {@link convTranspose2d}. */
export interface ConvTranspose2dOptions {
  readonly kernel: number
  /** Default 1. */
  readonly stride?: number
  /** Taken off the result on all sides. Default 0. */
  readonly padding?: number
  /** Default `true`. */
  readonly bias?: boolean
  readonly init?: LayerInit
}

/** Transposed convolution of [batch, in, height, width], weight [in, out, kernel, kernel] (`torch.nn.ConvTranspose2d`). */
export function convTranspose2d(
  parameters: Parameters,
  name: string,
  x: Value,
  channels: number,
  options: ConvTranspose2dOptions,
): Value {
  return x.builder.scope(name, { kind: 'ConvTranspose2d' }, () => {
    const { path } = x.builder
    const { kernel, stride = 1, padding = 0, init } = options
    // PyTorch counts the second axis as what comes in, here too, where that is the outputs.
    const bound = 1 / Math.sqrt(channels * kernel * kernel)
    const weight = parameters.weight(
      `${path}.weight`,
      [size(x, 1), channels, kernel, kernel],
      init?.weight ?? { kind: 'kaiming_uniform', a: Math.sqrt(5) },
    )
    const bias =
      options.bias === false ? undefined : convolutionBias(parameters, `${path}.bias`, channels, bound, init)
    return op.convTranspose(x, weight, bias, {
      strides: [stride, stride],
      pads: [padding, padding, padding, padding],
    })
  })
}

export interface BatchNormOptions {
  /** Default 1e-5. */
  readonly epsilon?: number
  /** Share of the batch's statistics in the new running ones. Default 0.1, as in PyTorch. */
  readonly momentum?: number
  /** How the scale is drawn when there is no checkpoint. Default: ones. */
  readonly init?: Initialization
  /** It has a scale and a shift that are learned. Default `true`. */
  readonly affine?: boolean
}

/**
 * Batch normalisation over [batch, channels, height, width] (https://arxiv.org/abs/1502.03167).
 *
 * In `training` mode it uses the batch's own statistics and updates its buffers as PyTorch does: `running_mean` and `running_var` by
 * the batch's mean and its variance divided by n − 1, and `num_batches_tracked` by one. A single value for each channel has no such
 * variance: PyTorch refuses it, here the new `running_var` is not finite. Applied twice with the same parameters, it updates them
 * twice, the second time from where the first has left them.
 */
export function batchNorm2d(
  parameters: Parameters,
  name: string,
  x: Value,
  options: BatchNormOptions = {},
): Value {
  return x.builder.scope(name, { kind: 'BatchNorm2d' }, () => batchNorm(parameters, x, options))
}

/** {@link batchNorm2d} over vectors [batch, features], or over sequences [batch, channels, length]. */
export function batchNorm1d(
  parameters: Parameters,
  name: string,
  x: Value,
  options: BatchNormOptions = {},
): Value {
  return x.builder.scope(name, { kind: 'BatchNorm1d' }, () => batchNorm(parameters, x, options))
}

function batchNorm(parameters: Parameters, x: Value, options: BatchNormOptions): Value {
  const { path } = x.builder
  const { epsilon = 1e-5, momentum = 0.1, init = { kind: 'ones' }, affine = true } = options
  const channels = [size(x, 1)]
  const filled = (value: number) =>
    x.builder.constant(tensor('float32', channels, Array(channels[0]!).fill(value)))
  const weight = affine ? parameters.weight(`${path}.weight`, channels, init) : filled(1)
  const bias = affine ? parameters.weight(`${path}.bias`, channels, { kind: 'zeros' }) : filled(0)
  const mean = parameters.buffer(`${path}.running_mean`, channels, { kind: 'zeros' })
  const variance = parameters.buffer(`${path}.running_var`, channels, { kind: 'ones' })
  if (parameters.mode === 'inference') {
    return op.batchNormalization(x, weight, bias, mean, variance, { epsilon })
  }
  const [y, batchMean, biased] = op.batchNormalizationTraining(x, weight, bias, { epsilon })
  const total = op.cast(op.div(op.size(x), channels[0]!), 'float32')
  const unbiased = op.mul(biased, op.div(total, op.sub(total, 1)))
  const blend = (running: Value, batch: Value) =>
    op.add(op.mul(running, 1 - momentum), op.mul(batch, momentum))
  parameters.update(mean, blend(mean, batchMean))
  parameters.update(variance, blend(variance, unbiased))
  const counted = { dtype: 'int64', optional: true } as const
  const count = parameters.buffer(`${path}.num_batches_tracked`, [], { kind: 'zeros' }, counted)
  parameters.update(count, op.add(count, 1))
  return y
}

/**
 * Drops elements with probability `p` while training, and divides what is kept by 1 - p; `x` itself otherwise.
 *
 * The mask is drawn in the graph from the input `mask_counter` (`MASK_COUNTER`). (ONNX Runtime's own Dropout gives another mask in each run, even
 * with a seed, so a training step would not repeat.)
 */
export function dropout(x: Value, p: number, mode: Mode): Value {
  return dropped(x, p, mode, () => keepMask(x, p, 'dropout_mask'))
}

/**
 * Drops a residual branch for some of the batch while training (stochastic depth, https://arxiv.org/abs/1603.09382), as
 * {@link dropout} does it, with one decision for each row of the batch.
 */
export function dropPath(x: Value, p: number, mode: Mode): Value {
  return dropped(x, p, mode, () => keepRows(x, p, 'drop_path_mask'))
}

function dropped(x: Value, p: number, mode: Mode, mask: () => Value): Value {
  if (!(p >= 0 && p <= 1)) {
    throw new PipiloError('OPTION_INVALID', `The probability of dropping is ${p}, not from 0 to 1.`, {
      input: x.builder.path,
    })
  }
  if (mode === 'inference' || p === 0) return x
  if (p === 1) return op.mul(x, 0)
  // Choosing by a bool, not multiplying by floats: for the way back a quarter of the memory is kept.
  return op.where(mask(), op.mul(x, 1 / (1 - p)), 0)
}

/** Stochastic depth of a residual branch: the identity in inference. */
export type Drop = (branch: Value) => Value

/**
 * {@link dropPath} for each block of each stage, with a probability that grows evenly, from 0 for the first block to `rate` for the
 * last.
 *
 * @param depths blocks of each stage
 */
export function stochasticDepth(
  rate: number,
  depths: readonly number[],
  mode: Mode,
): (stage: number, block: number) => Drop {
  const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0)
  const last = Math.max(1, sum(depths) - 1)
  return (stage, block) => (branch) =>
    dropPath(branch, rate * ((sum(depths.slice(0, stage)) + block) / last), mode)
}

/** The bias of a convolution drawn as PyTorch does. */
function convolutionBias(
  parameters: Parameters,
  name: string,
  channels: number,
  bound: number,
  init: LayerInit | undefined,
): Value {
  return parameters.weight(name, [channels], init?.bias ?? { kind: 'uniform', a: -bound, b: bound })
}
