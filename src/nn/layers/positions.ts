/** Tables of positions: resampled for pictures of other sizes, and looked up by the offset between two positions. */
import { type Builder, op, type Value } from '../../graph/index.ts'
import { tensor } from '../../tensor/index.ts'

/** Rows and columns of patches. */
export type Grid = readonly [rows: number, columns: number]

/** How {@link resamplePositions} finds values between those of the table. */
export interface ResampleOptions {
  /** Leading entries that are no positions and stay (class token, registers). Default 0. */
  readonly prefix?: number
  /** Filter as Pillow does when shrinking, which also sharpens less when enlarging. Default `true`, as timm. */
  readonly antialias?: boolean
  /** Input positions an output position. Default: the ratio of the sizes. */
  readonly scales?: readonly [rows: number, columns: number]
}

/**
 * A table of positions [1, prefix + rows × columns, features] for another grid: bicubic, as
 * `torch.nn.functional.interpolate(mode='bicubic')` and timm's `resample_abs_pos_embed`. Two products with small constant
 * matrices, which the runtime computes once.
 */
export function resamplePositions(table: Value, from: Grid, to: Grid, options: ResampleOptions = {}): Value {
  if (from[0] === to[0] && from[1] === to[1]) return table
  const { prefix = 0, antialias = true, scales = [from[0] / to[0], from[1] / to[1]] } = options
  const { builder } = table
  const features = table.shape[2] as number
  const weights = (axis: 0 | 1) =>
    builder.constant(
      tensor('float32', [to[axis], from[axis]], cubicWeights(from[axis], to[axis], scales[axis], antialias)),
    )
  const grid = prefix > 0 ? op.slice(table, [prefix], [table.shape[1] as number], { axes: [1] }) : table
  const rows = op.matMul(weights(0), op.reshape(grid, [from[0], from[1] * features]))
  const cells = op.matMul(weights(1), op.reshape(rows, [to[0], from[1], features]))
  const resampled = op.reshape(cells, [1, to[0] * to[1], features])
  return prefix > 0 ? op.concat([op.slice(table, [0], [prefix], { axes: [1] }), resampled], 1) : resampled
}

/**
 * The matrix [to, from] of bicubic interpolation along one axis. With antialiasing the cubic has the coefficient -0.5 and is as
 * wide as a step of the output, without it -0.75 and the border repeats: PyTorch's two ways.
 */
export function cubicWeights(from: number, to: number, scale: number, antialias: boolean): Float32Array {
  const matrix = new Float32Array(to * from)
  const width = antialias ? Math.max(scale, 1) : 1
  const coefficient = antialias ? -0.5 : -0.75
  for (let i = 0; i < to; i++) {
    const center = scale * (i + 0.5) - 0.5
    const first = antialias ? Math.max(Math.trunc(center + 1 - 2 * width), 0) : Math.floor(center) - 1
    const last = antialias ? Math.min(Math.trunc(center + 1 + 2 * width), from) : first + 4
    const row = matrix.subarray(i * from, (i + 1) * from)
    let sum = 0
    for (let j = first; j < last; j++) {
      const weight = cubic((j - center) / width, coefficient)
      row[Math.min(Math.max(j, 0), from - 1)]! += weight
      sum += weight
    }
    for (let j = 0; j < from; j++) row[j]! /= sum
  }
  return matrix
}

/** Keys' cubic convolution kernel. */
function cubic(x: number, a: number): number {
  const d = Math.abs(x)
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1
  return d < 2 ? (((d - 5) * d + 8) * d - 4) * a : 0
}

/**
 * For each pair of positions of a window the row of a table of (2 rows - 1) × (2 columns - 1) offsets, int32
 * [positions, positions]. With `classToken` a first position is added, and three rows after the others: from it, to it, and to
 * itself (BEiT).
 */
export function relativePositionIndex(builder: Builder, window: Grid, classToken = false): Value {
  const [rows, columns] = window
  const extra = classToken ? 1 : 0
  const count = rows * columns + extra
  const offsets = (2 * rows - 1) * (2 * columns - 1)
  const index = new Int32Array(count * count)
  if (classToken) {
    index.fill(offsets, 0, count)
    for (let query = 1; query < count; query++) index[query * count] = offsets + 1
    index[0] = offsets + 2
  }
  for (let query = extra; query < count; query++) {
    for (let key = extra; key < count; key++) {
      const [q, k] = [query - extra, key - extra]
      const row = Math.floor(q / columns) - Math.floor(k / columns) + rows - 1
      const column = (q % columns) - (k % columns) + columns - 1
      index[query * count + key] = row * (2 * columns - 1) + column
    }
  }
  return builder.constant({ dtype: 'int32', shape: [count, count], data: index })
}

/** Bias of scores [batch, heads, positions, positions]: rows of `table` [offsets, heads] by {@link relativePositionIndex}. */
export function relativePositionBias(table: Value, index: Value): Value {
  return op.unsqueeze(op.transpose(op.gather(table, index), [2, 0, 1]), [0])
}
