/** Windows of a map of tokens, for Swin Transformers. */
import { type Builder, op, type Value } from '../../graph/index.ts'
import type { Grid } from '../layers/positions.ts'

/** How tokens [batch, rows × columns, channels] are laid into windows and back. */
export interface Windows {
  /** Tokens to [batch, windows, tokens of a window, channels]. */
  readonly partition: (x: Value) => Value
  /** Back to [batch, rows × columns, channels]. */
  readonly reverse: (x: Value) => Value
  /** Bias of scores in windows that hold tokens that are no neighbours: [windows, 1, tokens, tokens], 0 or -100. */
  readonly mask: Value | undefined
}

/**
 * Windows that are shifted by `shift`, which wraps at the border; where windows do not fill the map, zeros do.
 *
 * Shifting and laying out is one `Gather` of whole tokens, and so is the way back.
 *
 * @param options.fillFirst the zeros stand in the map before it is shifted (transformers), not after (timm, the default)
 */
export function windowsOf(
  builder: Builder,
  grid: Grid,
  window: Grid,
  shift: Grid,
  options: { readonly fillFirst?: boolean } = {},
): Windows {
  const [rows, columns] = grid
  const counts = [Math.ceil(rows / window[0]), Math.ceil(columns / window[1])] as const
  // The map in which the shift wraps: the one filled up to whole windows, or the tokens' own.
  const around = options.fillFirst ? [counts[0] * window[0], counts[1] * window[1]] : grid
  const [area, windows] = [window[0] * window[1], counts[0] * counts[1]]
  const filler = rows * columns
  const there = new Int32Array(windows * area)
  const back = new Int32Array(rows * columns)
  const regions = new Int32Array(windows * area)
  for (let at = 0; at < there.length; at++) {
    const [number, inside] = [Math.trunc(at / area), at % area]
    const row = Math.trunc(number / counts[1]) * window[0] + Math.trunc(inside / window[1])
    const column = (number % counts[1]) * window[1] + (inside % window[1])
    regions[at] =
      3 * region(row, counts[0] * window[0], window[0], shift[0]) +
      region(column, counts[1] * window[1], window[1], shift[1])
    const from = [(row + shift[0]) % around[0]!, (column + shift[1]) % around[1]!] as const
    if (row >= around[0]! || column >= around[1]! || from[0] >= rows || from[1] >= columns) {
      there[at] = filler
      continue
    }
    const source = from[0] * columns + from[1]
    there[at] = source
    back[source] = at
  }
  const padded = there.length > filler
  const constant = (data: Int32Array) => builder.constant({ dtype: 'int32', shape: [data.length], data })
  const [toWindows, toTokens] = [constant(there), constant(back)]
  return {
    partition: (x) => {
      const source = padded ? op.pad(x, [0, 0, 0, 0, 1, 0]) : x
      return op.reshape(op.gather(source, toWindows, 1), [0, windows, area, x.shape[2] as number])
    },
    reverse: (x) => op.gather(op.reshape(x, [0, windows * area, x.shape[3] as number]), toTokens, 1),
    mask: shift[0] > 0 || shift[1] > 0 ? maskOf(builder, regions, windows, area) : undefined,
  }
}

/** Number of the part of an axis that a position belongs to, of the three parts that a shift brings together. */
function region(position: number, size: number, window: number, shift: number): number {
  if (shift === 0 || position >= size - shift) return 2
  return position < size - window ? 0 : 1
}

function maskOf(builder: Builder, regions: Int32Array, windows: number, area: number): Value {
  const data = new Float32Array(windows * area * area)
  for (let i = 0; i < data.length; i++) {
    const number = Math.trunc(i / (area * area))
    const query = Math.trunc(i / area) % area
    if (regions[number * area + query] !== regions[number * area + (i % area)]) data[i] = -100
  }
  return builder.constant({ dtype: 'float32', shape: [windows, 1, area, area], data })
}

/** Window and shift of a block: no larger than the map, no shift where one window covers it. */
export function windowOf(grid: Grid, target: Grid, shifted: boolean): { window: Grid; shift: Grid } {
  const side = (axis: 0 | 1) => Math.min(grid[axis], target[axis])
  const step = (axis: 0 | 1) => (!shifted || grid[axis] <= side(axis) ? 0 : Math.trunc(target[axis] / 2))
  return { window: [side(0), side(1)], shift: [step(0), step(1)] }
}

/**
 * Attention in several heads inside each window.
 *
 * @param query [batch, windows, tokens, features], like `key` and `value`
 * @param options.bias added to the scores: broadcasts to [batch, windows, heads, tokens, tokens]
 * @param options.compare scores from queries [batch, windows, heads, tokens, depth] and keys [batch, windows, heads, depth, tokens]; default:
 *   scaled products
 */
export function attendInWindows(
  query: Value,
  key: Value,
  value: Value,
  options: {
    readonly heads: number
    readonly bias?: Value
    readonly compare?: (queries: Value, keys: Value) => Value
  },
): Value {
  const { heads, bias } = options
  const [, windows, area, features] = query.shape as number[]
  const depth = features! / heads
  const split = (x: Value, order: readonly number[]) =>
    op.transpose(op.reshape(x, [0, windows!, area!, heads, depth]), order)
  const compare = options.compare ?? ((q, k) => op.mul(op.matMul(q, k), depth ** -0.5))
  const keys = options.compare ? split(key, [0, 1, 3, 2, 4]) : split(key, [0, 1, 3, 4, 2])
  const scores = compare(split(query, [0, 1, 3, 2, 4]), keys)
  const weights = op.softmax(bias ? op.add(scores, bias) : scores)
  const context = op.matMul(weights, split(value, [0, 1, 3, 2, 4]))
  return op.reshape(op.transpose(context, [0, 1, 3, 2, 4]), [0, windows!, area!, features!])
}

/** Squares of 2 × 2 as one vector: tokens of a map to [batch, ⌈rows / 2⌉ × ⌈columns / 2⌉, 4 × channels]; zeros fill the last. */
export function mergeSquares(x: Value, [rows, columns]: Grid): Value {
  const channels = x.shape[2] as number
  const half = [Math.ceil(rows / 2), Math.ceil(columns / 2)] as const
  const map = op.reshape(x, [0, rows, columns, channels])
  const odd = rows % 2 === 1 || columns % 2 === 1
  const padded = odd ? op.pad(map, [0, 0, 0, 0, 0, rows % 2, columns % 2, 0]) : map
  const cells = op.reshape(padded, [0, half[0], 2, half[1], 2, channels])
  return op.reshape(op.transpose(cells, [0, 1, 3, 4, 2, 5]), [0, half[0] * half[1], 4 * channels])
}
