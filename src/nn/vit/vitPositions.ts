/** Positions of tokens for the blocks of a vision transformer: biases of scores, and rotations. */
import { type Builder, op, type Value } from '../../graph/index.ts'
import { type Grid, relativePositionBias, relativePositionIndex } from '../layers/positions.ts'
import type { Parameters } from '../types.ts'
import { type ImageRotaryConfig, type ImageRotation, imageRotation } from './imageRotary.ts'
import { mlp, type ScoreBias } from './vitLayers.ts'

/** How blocks know positions, by timm's names. */
export interface PositionConfig {
  readonly embed_dim: number
  readonly depth: number
  readonly num_heads: number
  /** Rotary positions; for blocks of EVA. */
  readonly rope?: ImageRotaryConfig
  /** `mlp`: scores get what an MLP makes of the offset; `table`: what a table holds for it. */
  readonly rel_pos?: 'mlp' | 'table'
  /** All blocks have the same bias of relative positions. */
  readonly shared_rel_pos: boolean
  /** Hidden features of the MLP of relative positions. */
  readonly rel_pos_dim: number
}

/** Bias and rotation by which a block knows positions. */
export interface BlockPositions {
  readonly bias?: ScoreBias
  readonly rotation?: ImageRotation
}

/**
 * Bias and rotation of each block.
 *
 * @param prefix tokens before those of the patches
 */
export function blockPositions(
  parameters: Parameters,
  config: PositionConfig,
  builder: Builder,
  grid: Grid,
  prefix: number,
): (block: number) => BlockPositions {
  const { rope, num_heads: heads, embed_dim, depth } = config
  if (rope) {
    const shape = { grid, prefix, heads, features: embed_dim / heads, depth }
    const of = builder.scope('rope', () => imageRotation(parameters, builder, rope, shape))
    return (block) => ({ rotation: of(block) })
  }
  const bias = scoreBias(parameters, config, builder, grid, prefix)
  return () => (bias ? { bias } : {})
}

/** Relative positions, made once or by each block in its attention's scope. */
function scoreBias(
  parameters: Parameters,
  config: PositionConfig,
  builder: Builder,
  grid: Grid,
  prefix: number,
): ScoreBias | undefined {
  if (config.rel_pos === undefined) return undefined
  const heads = config.num_heads
  if (config.rel_pos === 'table') {
    const index = relativePositionIndex(builder, grid, true)
    const rows = (2 * grid[0] - 1) * (2 * grid[1] - 1) + 3
    const make = () =>
      relativePositionBias(
        parameters.weight(`${builder.path}.relative_position_bias_table`, [rows, heads], { kind: 'zeros' }),
        index,
      )
    return config.shared_rel_pos ? builder.scope('rel_pos_bias', make) : make
  }
  const make = () => positionMlp(parameters, builder, grid, prefix, heads, config.rel_pos_dim)
  return config.shared_rel_pos
    ? builder.scope('shared_rel_pos', make)
    : () => builder.scope('rel_pos', { kind: 'RelPosMlp' }, make)
}

/** timm's `RelPosMlp`: a bias of the scores from the logarithm of the offset (https://arxiv.org/abs/2111.09883). */
function positionMlp(
  parameters: Parameters,
  builder: Builder,
  grid: Grid,
  prefix: number,
  heads: number,
  hidden: number,
): Value {
  const [rows, columns] = grid
  const table = new Float32Array((2 * rows - 1) * (2 * columns - 1) * 2)
  const log = (offset: number) => Math.sign(offset) * Math.log(1 + Math.abs(offset))
  for (let i = 0, row = 1 - rows; row < rows; row++) {
    for (let column = 1 - columns; column < columns; column++) {
      table[i++] = log(row)
      table[i++] = log(column)
    }
  }
  const offsets = builder.constant({
    dtype: 'float32',
    shape: [1, (2 * rows - 1) * (2 * columns - 1), 2],
    data: table,
  })
  const made = mlp(parameters, 'mlp', offsets, { hidden, act: 'relu', out: heads })
  const bias = relativePositionBias(op.squeeze(made, [0]), relativePositionIndex(builder, grid))
  return prefix > 0 ? op.pad(bias, [0, 0, prefix, prefix, 0, 0, 0, 0]) : bias
}
