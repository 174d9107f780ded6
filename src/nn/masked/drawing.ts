/** First weights of masked networks. */
import type { Parameters } from '../types.ts'

/**
 * Linear maps are drawn by Glorot's uniform distribution, and so is the projection of the patches, as a linear map: as MAE draws them. By a
 * normal one of 0.02 the blocks of small networks add next to nothing to their tokens, and learn slowly.
 */
export function drawnAsMae<P extends Parameters>(parameters: P): P {
  return {
    ...parameters,
    weight(name, shape, init) {
      const matrix = shape.length === 2 || name === 'patch_embed.proj.weight'
      if (!matrix) return parameters.weight(name, shape, init)
      const inputs = shape.slice(1).reduce((product, size) => product * size, 1)
      const bound = Math.sqrt(6 / (inputs + shape[0]!))
      return parameters.weight(name, shape, { kind: 'uniform', a: -bound, b: bound })
    },
  }
}
