/** Reading and changing shapes. */
import { PipiloError } from '../../base/index.ts'
import { type DType, tensor } from '../../tensor/index.ts'
import type { Builder, Value } from '../builder.ts'
import {
  apply,
  applyMany,
  type Integers,
  int,
  integers,
  ints,
  isValue,
  type Operand,
  operand,
  since,
  string,
} from './apply.ts'

/** Another shape of the same elements: 0 copies a size, -1 is what is left. */
export function reshape(x: Value, shape: Integers, options: { readonly allowZero?: boolean } = {}): Value {
  return apply('Reshape', [x, integers(shape, x.builder)], {
    allowzero: options.allowZero ? int(1) : undefined,
  })
}

/** A matrix of the axes before `axis` and those from it on. */
export function flatten(x: Value, axis = 1): Value {
  return apply('Flatten', [x], { axis: int(axis) })
}

/** Permutes axes (default: reverses them): axis i of the result is axis `order[i]` of `x`. */
export function transpose(x: Value, order?: readonly number[]): Value {
  return apply('Transpose', [x], { perm: ints(order) })
}

/** Removes axes of size 1 (default all of them). */
export function squeeze(x: Value, axes?: Integers): Value {
  const [input, attribute] = since(13, 'axes', axes, x.builder)
  return apply('Squeeze', [x, input], { axes: attribute })
}

/** Adds axes of size 1; `axes` count in the result. */
export function unsqueeze(x: Value, axes: Integers): Value {
  const [input, attribute] = since(13, 'axes', axes, x.builder)
  return apply('Unsqueeze', [x, input], { axes: attribute })
}

/** Joins along `axis`. */
export function concat(values: readonly Value[], axis: number): Value {
  return apply('Concat', values, { axis: int(axis) })
}

/** Parts along `axis`: of the given sizes, or that many equal ones. */
export function split(x: Value, parts: number | readonly number[], axis = 0): Value[] {
  const count = typeof parts === 'number' ? parts : parts.length
  const { opset } = x.builder
  if (typeof parts === 'number') {
    return applyMany(
      'Split',
      [x],
      { axis: int(axis), num_outputs: opset >= 18 ? int(parts) : undefined },
      count,
    )
  }
  const [input, attribute] = since(13, 'split', parts, x.builder)
  return applyMany('Split', [x, input], { axis: int(axis), split: attribute }, count)
}

/** Broadcasts to `shape` (both ways, so 1 keeps a size). */
export function expand(x: Value, shape: Integers): Value {
  return apply('Expand', [x, integers(shape, x.builder)])
}

/** Repeats along each axis. */
export function tile(x: Value, repeats: Integers): Value {
  return apply('Tile', [x, integers(repeats, x.builder)])
}

/** Adds `pads` = [begin of each axis…, end of each axis…]; negative ones cut. */
export function pad(
  x: Value,
  pads: Integers,
  options: { readonly mode?: 'constant' | 'reflect' | 'edge'; readonly value?: Operand } = {},
): Value {
  const { mode = 'constant', value } = options
  if (x.builder.opset < 11) {
    if (isValue(pads) || isValue(value)) {
      throw new PipiloError('OPERATOR_UNSUPPORTED', 'Before operator set 11 pads are numbers.')
    }
    return apply('Pad', [x], {
      pads: ints(pads),
      mode: string(mode),
      value: { type: 'float', value: value ?? 0 },
    })
  }
  const filling = value === undefined ? undefined : operand(value, x)
  return apply('Pad', [x, integers(pads, x.builder), filling], { mode: string(mode) })
}

/** Options of {@link slice}: the range taken along each of `axes` (default: the first ones). */
export interface SliceOptions {
  readonly axes?: readonly number[]
  /** Default 1 each. */
  readonly steps?: readonly number[]
}

/** Elements from `starts` up to before `ends`; negative ones count from the end. */
export function slice(x: Value, starts: Integers, ends: Integers, options: SliceOptions = {}): Value {
  const b = x.builder
  const { axes, steps } = options
  if (b.opset < 10) {
    if (isValue(starts) || isValue(ends) || steps) {
      throw new PipiloError(
        'OPERATOR_UNSUPPORTED',
        'Before operator set 10 slices are numbers without steps.',
      )
    }
    return apply('Slice', [x], { starts: ints(starts), ends: ints(ends), axes: ints(axes) })
  }
  const step = steps && integers(steps, b)
  const along = axes ?? (steps ? steps.map((_, i) => i) : undefined)
  return apply('Slice', [x, integers(starts, b), integers(ends, b), along && integers(along, b), step])
}

/** The sizes of `x` as an int64 vector; of the axes from `start` to before `end` (operator set 15). */
export function shape(x: Value, start?: number, end?: number): Value {
  if (x.builder.opset >= 15 || (start === undefined && end === undefined)) {
    return apply('Shape', [x], { start: int(start), end: int(end) })
  }
  return slice(apply('Shape', [x]), [start ?? 0], [end ?? 2 ** 31])
}

/** The number of elements, an int64 scalar. */
export function size(x: Value): Value {
  return apply('Size', [x])
}

/** A tensor of one value, whose shape is computed. */
export function constantOfShape(shape: Value, value = 0, dtype: DType = 'float32'): Value {
  return apply('ConstantOfShape', [shape], { value: { type: 'tensor', value: tensor(dtype, [1], [value]) } })
}

/** `start, start + delta, …` below `limit`: scalars, at least one of them a value. */
export function range(start: Operand, limit: Operand, delta: Operand = 1): Value {
  const like = [start, limit, delta].find(isValue)
  if (!like)
    throw new PipiloError('GRAPH_INVALID', 'Range of numbers only is a constant: use builder.constant.')
  return apply('Range', [operand(start, like), operand(limit, like), operand(delta, like)])
}

/** Blocks of channels to space; PyTorch's `PixelShuffle` is mode `CRD`, the default here. */
export function depthToSpace(x: Value, block: number, mode: 'DCR' | 'CRD' = 'CRD'): Value {
  return apply('DepthToSpace', [x], { blocksize: int(block), mode: string(mode) })
}

/** Blocks of space to channels. */
export function spaceToDepth(x: Value, block: number): Value {
  return apply('SpaceToDepth', [x], { blocksize: int(block) })
}

/** The lower (or upper) triangle of the last two axes, zero elsewhere; `k` moves the diagonal. */
export function trilu(x: Value, upper: boolean, k = 0): Value {
  return apply('Trilu', [x, k === 0 ? undefined : x.builder.constant(k)], { upper: int(upper) })
}

/** The same value under a further name. */
export function identity(x: Value): Value {
  return apply('Identity', [x])
}

/** A constant of the graph: number (scalar), numbers (vector) or tensor. */
export function constant(builder: Builder, ...args: Parameters<Builder['constant']>): Value {
  return builder.constant(...args)
}
