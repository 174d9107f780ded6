/** Autoencoder of convolutions that halve a picture, and transposed ones that double it again. */
import { PipiloError } from '../../base/index.ts'
import { op, type Value } from '../../graph/index.ts'
import { batchNorm2d, conv2d, convTranspose2d, linear } from '../layers/layers.ts'
import type { BuildModel } from '../model.ts'
import type { Parameters } from '../types.ts'
import { activated, buildAutoencoder, checkSizes } from './autoencoder.ts'

export interface ConvAutoencoderConfig {
  /** Height and width: multiples of 2 to the power of the number of stages. */
  readonly input_size: readonly [height: number, width: number]
  readonly in_chans: number
  /** Channels of the stages, each of half the height and width of the one before. */
  readonly channels: readonly number[]
  /** Features of the code. */
  readonly latent: number
  /** Batch normalisation behind each convolution but the last; convolutions then have no bias. */
  readonly batch_norm: boolean
  readonly act: string
  /** Activation of the reconstruction: `sigmoid` for pixels from 0 to 1. `none`: any number. */
  readonly out_act: string
}

/** Pictures of 32 × 32 to 128 numbers. */
export const CONV_AUTOENCODER_DEFAULTS: ConvAutoencoderConfig = {
  input_size: [32, 32],
  in_chans: 3,
  channels: [32, 64, 128],
  latent: 128,
  batch_norm: true,
  act: 'relu',
  out_act: 'none',
}

/**
 * Convolutional autoencoder as a graph: input `pixel_values` (float32 [batch, channels, height, width]), outputs `latent` ([batch, latent])
 * and `reconstruction` (of the input's shape).
 *
 * @example
 * ```ts
 * const { graph } = buildConvAutoencoder({ input_size: [28, 28], in_chans: 1, channels: [16, 32] }, undefined, { mode: 'training' })
 * ```
 *
 * @remarks
 * Layers and parameters are those of two `torch.nn.Sequential`. Encoder, for each stage: convolution of 3 × 3 with stride 2 and padding 1,
 * batch norm, activation; then `Flatten` and a linear layer. Decoder: a linear layer, activation, `Unflatten`, and for each stage a
 * transposed convolution of 4 × 4 with stride 2 and padding 1 (which doubles exactly, every place from equally many terms), batch norm,
 * activation, of which the last stage has neither.
 *
 * @param config what differs from {@link CONV_AUTOENCODER_DEFAULTS}
 * @throws PipiloError `OPTION_INVALID` for sizes that cannot be halved so often, `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export const buildConvAutoencoder: BuildModel<Partial<ConvAutoencoderConfig>> = (
  given,
  checkpoint,
  options = {},
) => {
  const stated = { ...CONV_AUTOENCODER_DEFAULTS, ...given }
  const config = { ...stated, input_size: options.size ?? stated.input_size }
  checkSizes('channels', config.channels)
  checkSizes('latent', [config.latent, config.in_chans])
  const map = mapShape(config)
  return buildAutoencoder('conv-autoencoder', [config.in_chans, ...config.input_size], checkpoint, options, {
    encode: (parameters, x) => encode(parameters, config, x),
    decode: (parameters, code) => decode(parameters, config, map, code),
  })
}

/** Shape of the last stage. */
function mapShape({ input_size, channels }: ConvAutoencoderConfig): [number, number, number] {
  const [height, width] = input_size.map((side) => side / 2 ** channels.length) as [number, number]
  if (channels.length > 0 && [height, width].every((side) => Number.isSafeInteger(side) && side > 0)) {
    return [channels.at(-1)!, height, width]
  }
  throw new PipiloError(
    'OPTION_INVALID',
    `Pictures of ${input_size.join(' × ')} cannot be halved ${channels.length} times.`,
    { input: 'input_size', hint: `Choose multiples of ${2 ** channels.length}, or fewer stages.` },
  )
}

function encode(parameters: Parameters, config: ConvAutoencoderConfig, x: Value): Value {
  let y = x
  let at = 0
  for (const channels of config.channels) {
    const bias = !config.batch_norm
    y = conv2d(parameters, `${at++}`, y, channels, { kernel: 3, stride: 2, padding: 1, bias })
    if (config.batch_norm) y = batchNorm2d(parameters, `${at++}`, y)
    y = activated(at++, config.act, y)
  }
  const flat = x.builder.scope(`${at++}`, { kind: 'Flatten' }, () => op.flatten(y))
  return linear(parameters, `${at}`, flat, config.latent)
}

function decode(
  parameters: Parameters,
  config: ConvAutoencoderConfig,
  map: readonly [number, number, number],
  code: Value,
): Value {
  const { builder } = code
  const entered = activated(1, config.act, linear(parameters, '0', code, map[0] * map[1] * map[2]))
  let y = builder.scope('2', { kind: 'Unflatten' }, () => op.reshape(entered, [0, ...map]))
  let at = 3
  const stages = [...config.channels.slice(0, -1).toReversed(), config.in_chans]
  for (const [i, channels] of stages.entries()) {
    const last = i === stages.length - 1
    const bias = last || !config.batch_norm
    y = convTranspose2d(parameters, `${at++}`, y, channels, { kernel: 4, stride: 2, padding: 1, bias })
    if (!last && config.batch_norm) y = batchNorm2d(parameters, `${at++}`, y)
    y = activated(at++, last ? config.out_act : config.act, y)
  }
  return y
}
