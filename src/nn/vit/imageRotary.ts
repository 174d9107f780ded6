/** Rotary position embeddings of pictures: half of a head's pairs turn by the row, half by the column (timm's `pos_embed_sincos`). */
import { type Builder, op, type Value } from '../../graph/index.ts'
import { tensor } from '../../tensor/index.ts'
import type { Grid } from '../layers/positions.ts'
import { type Rotation, rotate } from '../layers/rotary.ts'
import type { Parameters } from '../types.ts'

/** How queries and keys are turned, by timm's arguments without their `rope_`. */
export interface ImageRotaryConfig {
  /**
   * `cat`: angles from rows and columns as they are counted (https://arxiv.org/abs/2303.11331); `dinov3`: from -1 to 1 over the picture
   * (https://arxiv.org/abs/2508.10104); `mixed`: learned for each block and head (https://arxiv.org/abs/2403.13298).
   */
  readonly type: 'cat' | 'dinov3' | 'mixed'
  readonly temperature: number
  /** Added to rows and columns. Default 0. */
  readonly grid_offset?: number
  /** Order of the axes: rows first (`ij`) or columns first (`xy`). Default `ij`. */
  readonly grid_indexing?: 'ij' | 'xy'
  /** The grid of pretraining: others are counted in its steps. */
  readonly ref_feat_shape?: Grid
  /** Feature i is paired with i + half of them, not with its neighbour. Default `false`. */
  readonly rotate_half?: boolean
}

/** The rotation of all tokens of a picture; those before the patches stay as they are. */
export interface ImageRotation extends Rotation {
  /** Neighbouring features are a pair. */
  readonly interleaved: boolean
}

interface Shape {
  readonly grid: Grid
  /** Tokens before those of the patches. */
  readonly prefix: number
  readonly heads: number
  /** Features of a head. */
  readonly features: number
  /** Blocks. */
  readonly depth: number
}

const { fround } = Math

/** The rotation that each block applies. */
export function imageRotation(
  parameters: Parameters,
  builder: Builder,
  config: ImageRotaryConfig,
  shape: Shape,
): (block: number) => ImageRotation {
  const interleaved = !config.rotate_half
  if (config.type === 'mixed') return mixedRotation(parameters, builder, config, shape)
  const { grid, prefix, features } = shape
  const pairs = features / 4
  const bands = Array.from({ length: pairs }, (_, i) => fround(config.temperature ** fround(i / pairs)))
  const centered = config.type === 'dinov3'
  const angles = placesOf(config, grid).flatMap((place) =>
    place.flatMap((at) =>
      bands.map((band) => fround(centered ? fround(fround(2 * Math.PI) * at) / band : at * fround(1 / band))),
    ),
  )
  const still = Array<number>(prefix * 2 * pairs).fill(0)
  const rows = prefix + grid[0] * grid[1]
  const table = (of: (angle: number) => number) =>
    builder.constant(tensor('float32', [rows, 2 * pairs], [...still, ...angles].map(of)))
  const rotation = { cos: table(Math.cos), sin: table(Math.sin), interleaved }
  return () => rotation
}

/** Coordinates of the patches, in the order in which angles are made of them. */
function placesOf(config: ImageRotaryConfig, [rows, columns]: Grid): (readonly [number, number])[] {
  const { type, grid_offset = 0, grid_indexing = 'ij', ref_feat_shape } = config
  const place = (at: number, axis: 0 | 1) => {
    const size = axis === 0 ? rows : columns
    if (type === 'dinov3') return fround(2 * fround((at + 0.5 + grid_offset) / size) - 1)
    const moved = at + grid_offset
    return ref_feat_shape ? fround(fround(moved / size) * ref_feat_shape[axis]) : moved
  }
  return Array.from({ length: rows * columns }, (_, i) => {
    const [row, column] = [place(Math.floor(i / columns), 0), place(i % columns, 1)]
    return grid_indexing === 'ij' ? ([row, column] as const) : ([column, row] as const)
  })
}

/** Angles are linear in row and column, with the learned factors `freqs` [2, blocks, heads, features / 2]. */
function mixedRotation(
  parameters: Parameters,
  builder: Builder,
  config: ImageRotaryConfig,
  { grid, prefix, heads, features, depth }: Shape,
): (block: number) => ImageRotation {
  const all = parameters.weight(`${builder.path}.freqs`, [2, depth, heads, features / 2], {
    kind: 'rotations',
    temperature: config.temperature,
  })
  const still = Array.from({ length: prefix }, () => [0, 0])
  const places = [...still, ...placesOf(config, grid)].flat()
  const at = builder.constant(tensor('float32', [places.length / 2, 2], places))
  return (block) =>
    builder.scope(`rope.${block}`, () => {
      const factors = op.transpose(op.gather(all, block, 1), [1, 0, 2])
      const angles = op.matMul(at, factors)
      return { cos: op.cos(angles), sin: op.sin(angles), interleaved: true }
    })
}

/**
 * Turns queries or keys [batch, heads, tokens, features]. Where pairs are neighbours the features come out in another order, the
 * same for queries and keys, which their products do not see.
 */
export function rotateHeads(x: Value, rotation: ImageRotation): Value {
  if (!rotation.interleaved) return rotate(x, rotation)
  const features = x.shape.at(-1) as number
  const every = (first: number) => op.slice(x, [first], [features], { axes: [3], steps: [2] })
  return rotate(op.concat([every(0), every(1)], 3), rotation)
}
