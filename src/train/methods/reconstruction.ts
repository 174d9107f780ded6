/** Reconstruction: an autoencoder, which may be given noisy pictures. */
import { checkOptions, is, type OptionTable } from '../../base/index.ts'
import { op } from '../../graph/index.ts'
import { seeded } from '../../nn/index.ts'
import type { Objective } from '../objective.ts'
import { meanSquaredError, smoothL1 } from '../objectives/regression.ts'

const reconstructionTypes: OptionTable<ReconstructionOptions> = {
  loss: is.oneOf(['mse', 'smooth-l1']),
  noise: is.numeric(0),
}

/** Options of {@link reconstruction}. */
export interface ReconstructionOptions {
  /** `mse` or `smooth-l1`. Default `mse`. */
  readonly loss?: 'mse' | 'smooth-l1'
  /** Deviation of the normal noise on the input, of values from 0 to 1 before normalisation. Default 0: none. */
  readonly noise?: number
}

/**
 * Distance of an autoencoder's output `reconstruction` from its input; with noise on the input only, a denoising autoencoder
 * (Vincent and others, Extracting and Composing Robust Features with Denoising Autoencoders, 2008).
 *
 * @example
 * ```ts
 * await train({ network: freshNetwork('mlp_autoencoder'), objective: reconstruction({ noise: 0.3 }), data })
 * ```
 *
 * @remarks The data has the column `image`.
 */
export function reconstruction(given: ReconstructionOptions = {}): Objective {
  checkOptions('reconstruction', given, reconstructionTypes)
  const { loss = 'mse', noise = 0 } = given
  return {
    name: noise > 0 ? 'denoising' : 'reconstruction',
    build(scope) {
      const clean = scope.pixels()
      const given =
        noise > 0 && scope.parameters.mode === 'training'
          ? op.add(clean, noiseOf(clean.shape.map(Number)))
          : clean
      const [output] = scope.network({ pixel_values: given }, ['reconstruction'])
      return { loss: loss === 'mse' ? meanSquaredError(output!, clean) : smoothL1(output!, clean) }

      function noiseOf(shape: readonly number[]) {
        const count = shape.reduce((product, size) => product * size, 1)
        return scope.drawn('noise', 'float32', shape, ({ seed, step }) => {
          const random = seeded(seed, `noise ${step}`)
          return Float32Array.from({ length: count }, () => noise * random.normal())
        })
      }
    },
  }
}
