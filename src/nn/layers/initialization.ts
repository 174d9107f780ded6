/** Draws fresh parameters from PyTorch's distributions (`torch.nn.init`). */
import { elementCount, type Tensor } from '../../tensor/index.ts'
import type { Initialization } from '../types.ts'
import { type Random, seeded } from './random.ts'

/**
 * A float32 tensor drawn from `init` by the generator of `seed` and `name`.
 *
 * @example
 * ```ts
 * draw({ kind: 'normal', std: 0.02 }, [384, 384], 42, 'encoder.layer.0.attention.self.query.weight')
 * ```
 */
export function draw(init: Initialization, shape: readonly number[], seed: number, name: string): Tensor {
  const data = new Float32Array(elementCount(shape))
  const random = seeded(seed, name)
  const next = sampler(init, shape, random)
  for (let i = 0; i < data.length; i++) data[i] = next()
  return { dtype: 'float32', shape, data }
}

function sampler(init: Initialization, shape: readonly number[], random: Random): () => number {
  const uniform = (a: number, b: number) => () => a + (b - a) * random.uniform()
  const normal = (mean: number, std: number) => () => mean + std * random.normal()
  const { fanIn, fanOut } = fans(shape)
  switch (init.kind) {
    case 'zeros':
      return () => 0
    case 'ones':
      return () => 1
    case 'constant':
      return () => init.value
    case 'normal':
      return normal(init.mean ?? 0, init.std)
    case 'truncated_normal': {
      const { mean = 0, std, a = -2, b = 2, factor = 1 } = init
      const sample = normal(mean, std)
      return () => {
        for (;;) {
          const value = sample()
          if (value >= a && value <= b) return factor * value
        }
      }
    }
    case 'uniform':
      return uniform(init.a, init.b)
    case 'kaiming_uniform': {
      const bound = gain(init.nonlinearity ?? 'leaky_relu', init.a ?? 0) * Math.sqrt(3 / fanIn)
      return uniform(-bound, bound)
    }
    case 'kaiming_normal': {
      const fan = init.mode === 'fan_out' ? fanOut : fanIn
      return normal(0, gain(init.nonlinearity ?? 'leaky_relu', 0) / Math.sqrt(fan))
    }
    case 'xavier_uniform': {
      const bound = (init.gain ?? 1) * Math.sqrt(6 / (fanIn + fanOut))
      return uniform(-bound, bound)
    }
    case 'sinusoidal':
      return sinusoids(shape.at(-1) ?? 1)
    case 'sinusoidal_2d':
      return gridSinusoids(shape.at(-1) ?? 1, init.columns, init.prefix)
    case 'rotations':
      return rotations(shape, init.temperature, random)
    case 'xavier_normal':
      return normal(0, (init.gain ?? 1) * Math.sqrt(2 / (fanIn + fanOut)))
  }
}

/** Row by row, position p and column j: the sine (j even) or cosine of `p / 10000^(2⌊j/2⌋ / columns)`. */
function sinusoids(columns: number): () => number {
  let i = 0
  return () => {
    const column = i % columns
    const angle = Math.floor(i++ / columns) / 10000 ** ((2 * Math.floor(column / 2)) / columns)
    return column % 2 === 0 ? Math.sin(angle) : Math.cos(angle)
  }
}

/** Quarters of a row: sines and cosines of the column, sines and cosines of the row of a place. */
function gridSinusoids(features: number, columns: number, prefix: number): () => number {
  const quarter = features / 4
  let i = 0
  return () => {
    const place = Math.floor(i / features) - prefix
    const [part, j] = [Math.floor((i % features) / quarter), i % quarter]
    i++
    if (place < 0) return 0
    const angle = (part < 2 ? place % columns : Math.floor(place / columns)) / 10000 ** (j / quarter)
    return part % 2 === 0 ? Math.sin(angle) : Math.cos(angle)
  }
}

/** The first half of a head's pairs along its direction, the second across it. */
function rotations(shape: readonly number[], temperature: number, random: Random): () => number {
  const pairs = shape.at(-1)!
  const perAxis = elementCount(shape) / 2
  const angles = Array.from({ length: perAxis / pairs }, () => 2 * Math.PI * random.uniform())
  let i = 0
  return () => {
    const [axis, pair] = [i < perAxis ? Math.cos : Math.sin, i % pairs]
    const angle = angles[Math.floor((i++ % perAxis) / pairs)]!
    const magnitude = temperature ** -((2 * (pair % (pairs / 2))) / pairs)
    return magnitude * axis(pair < pairs / 2 ? angle : angle + Math.PI / 2)
  }
}

/** Inputs and outputs of a unit: weights are [out, in, ...kernel]. */
function fans(shape: readonly number[]): { fanIn: number; fanOut: number } {
  const field = elementCount(shape.slice(2))
  return { fanIn: (shape[1] ?? shape[0] ?? 1) * field, fanOut: (shape[0] ?? 1) * field }
}

function gain(nonlinearity: 'relu' | 'leaky_relu' | 'linear', slope: number): number {
  if (nonlinearity === 'linear') return 1
  return Math.sqrt(2 / (1 + (nonlinearity === 'leaky_relu' ? slope : 0) ** 2))
}
