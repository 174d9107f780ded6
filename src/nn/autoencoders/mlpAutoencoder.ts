/** Autoencoder of linear layers (Hinton and Salakhutdinov, Reducing the Dimensionality of Data with Neural Networks, 2006). */
import { op, type Value } from '../../graph/index.ts'
import { linear } from '../layers/layers.ts'
import type { BuildModel } from '../model.ts'
import type { Parameters } from '../types.ts'
import { activated, buildAutoencoder, checkSizes } from './autoencoder.ts'

export interface MlpAutoencoderConfig {
  /** Shape of an input: [features], or [channels, height, width] of a picture, which is laid flat and stood up again. */
  readonly shape: readonly number[]
  /** Features of the layers between input and code; the decoder has them the other way round. */
  readonly hidden: readonly number[]
  /** Features of the code. */
  readonly latent: number
  readonly act: string
  /** Activation of the reconstruction: `sigmoid` for pixels from 0 to 1. `none`: any number. */
  readonly out_act: string
}

/** Digits of 28 × 28 to 32 numbers. */
export const MLP_AUTOENCODER_DEFAULTS: MlpAutoencoderConfig = {
  shape: [1, 28, 28],
  hidden: [512, 256],
  latent: 32,
  act: 'relu',
  out_act: 'none',
}

/**
 * Autoencoder of linear layers as a graph: input `pixel_values` (float32 [batch, channels, height, width]) or `features` (float32
 * [batch, features]), outputs `latent` ([batch, latent]) and `reconstruction` (of the input's shape).
 *
 * @example
 * ```ts
 * const { graph } = buildMlpAutoencoder({ shape: [784], latent: 2 }, undefined, { mode: 'training' })
 * ```
 *
 * @remarks
 * Layers and parameters are those of two `torch.nn.Sequential`: `encoder.0`, `encoder.2`, … are linear, the activations between them
 * `encoder.1`, …; likewise `decoder`. A denoising autoencoder is this one, trained with noise on its input.
 *
 * @param config what differs from {@link MLP_AUTOENCODER_DEFAULTS}
 * @throws PipiloError `OPTION_INVALID`, `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export const buildMlpAutoencoder: BuildModel<Partial<MlpAutoencoderConfig>> = (
  given,
  checkpoint,
  options = {},
) => {
  const { hidden, latent, act, out_act, ...config } = { ...MLP_AUTOENCODER_DEFAULTS, ...given }
  const shape = options.size && config.shape.length === 3 ? [config.shape[0]!, ...options.size] : config.shape
  checkSizes('shape', shape)
  checkSizes('hidden', hidden)
  checkSizes('latent', [latent])
  const features = shape.reduce((product, size) => product * size, 1)
  return buildAutoencoder('mlp-autoencoder', shape, checkpoint, options, {
    encode: (parameters, x) =>
      stack(parameters, shape.length > 1 ? op.flatten(x) : x, [...hidden, latent], act, 'none'),
    decode: (parameters, code) => {
      const flat = stack(parameters, code, [...hidden.toReversed(), features], act, out_act)
      return shape.length > 1 ? op.reshape(flat, [0, ...shape]) : flat
    },
  })
}

/** Linear layers with activations between them, numbered as in a `Sequential`. */
function stack(parameters: Parameters, x: Value, sizes: readonly number[], act: string, last: string): Value {
  let y = x
  for (const [i, size] of sizes.entries()) {
    const kind = i < sizes.length - 1 ? act : last
    y = activated(2 * i + 1, kind, linear(parameters, `${2 * i}`, y, size))
  }
  return y
}
