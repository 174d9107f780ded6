/** LeNet-5 (LeCun et al., Gradient-Based Learning Applied to Document Recognition, 1998), as it is usually written in PyTorch. */
import { Builder, op, type Value } from '../../graph/index.ts'
import { activation } from '../layers/activations.ts'
import { conv2d, linear } from '../layers/layers.ts'
import { built, parametersFrom } from '../layers/parameters.ts'
import type { BuildModel } from '../model.ts'

export interface LeNetConfig {
  readonly num_classes: number
  /** Height and width: 32 × 32, to which digits of 28 × 28 are padded, unless `padding` is 2. */
  readonly input_size: readonly [number, number]
  /** Zeros around the picture, for the first convolution. */
  readonly padding: number
  readonly in_chans: number
  /** `tanh` as in the paper, or `relu`. */
  readonly act: string
  /** `avg` as in the paper (without its trained scales), or `max`. */
  readonly pool: 'avg' | 'max'
}

/** The paper's sizes. */
export const LENET_DEFAULTS: LeNetConfig = {
  num_classes: 10,
  input_size: [32, 32],
  padding: 0,
  in_chans: 1,
  act: 'tanh',
  pool: 'avg',
}

/**
 * LeNet-5 as a graph: input `pixel_values` (float32 [batch, 1, height, width]), output `logits`, or `embedding` where there are no
 * classes. Convolutions of 6 and 16 channels, linear layers of 120, 84 and the classes.
 *
 * @example
 * ```ts
 * const { graph } = buildLeNet({ act: 'relu', pool: 'max' }, undefined, { seed: 1 })
 * ```
 *
 * @remarks
 * Layers: `conv1`, `act1`, `pool1`, `conv2`, `act2`, `pool2`, `flatten`, `fc1`, `act3`, `fc2`, `act4`, `fc3`.
 *
 * @param config what differs from {@link LENET_DEFAULTS}
 * @throws PipiloError `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export const buildLeNet: BuildModel<Partial<LeNetConfig>> = (given, checkpoint, options = {}) => {
  const config = { ...LENET_DEFAULTS, ...given }
  const { size = config.input_size } = options
  const classes = options.classes ?? checkpoint?.get('fc3.weight')?.shape[0] ?? config.num_classes
  const builder = new Builder({ name: 'lenet' })
  const ignore = options.classes === 0 ? [/^fc3\./] : []
  const parameters = parametersFrom(builder, checkpoint, {
    ...options,
    ignore,
  })
  const active = (i: number, x: Value) => builder.scope(`act${i}`, () => activation(config.act)(x))
  const convolve = (i: number, x: Value, channels: number) => {
    const y = active(
      i,
      conv2d(parameters, `conv${i}`, x, channels, { kernel: 5, padding: i === 1 ? config.padding : 0 }),
    )
    const pool = config.pool === 'avg' ? op.averagePool : op.maxPool
    return builder.scope(`pool${i}`, () => pool(y, [2, 2], { strides: [2, 2] }))
  }
  const pixels = builder.input('pixel_values', 'float32', ['batch', config.in_chans, ...size])
  const first = convolve(1, pixels, 6)
  const features = convolve(2, first, 16)
  const flat = builder.scope('flatten', () => op.flatten(features))
  const hidden = active(3, linear(parameters, 'fc1', flat, 120))
  const penultimate = active(4, linear(parameters, 'fc2', hidden, 84))
  if (classes === 0) builder.output('embedding', penultimate)
  else builder.output('logits', linear(parameters, 'fc3', penultimate, classes))
  return {
    ...built(builder, parameters),
    penultimate: penultimate.name,
    features: features.name,
    stages: [
      { name: 'pool1', stride: 2, channels: 6 },
      { name: 'pool2', stride: 4, channels: 16 },
    ],
  }
}
