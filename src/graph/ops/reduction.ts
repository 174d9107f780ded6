/** Reductions, and picking the largest. */

import { PipiloError } from '../../base/index.ts'
import type { Value } from '../builder.ts'
import { apply, applyMany, type Integers, int, integers, since } from './apply.ts'
import type { EmittedOperator } from './emitted.ts'

/** Options of the reductions. */
export interface ReduceOptions {
  /** Keep reduced axes with size 1. Default `false`, as in PyTorch (ONNX's own default is `true`). */
  readonly keepDims?: boolean
}

/** `ReduceSum` takes its axes as an input from operator set 13, the others from 18. */
function reduction(op: EmittedOperator, version: number) {
  return (x: Value, axes?: Integers, options: ReduceOptions = {}): Value => {
    const [input, attribute] = since(version, 'axes', axes, x.builder)
    return apply(op, [x, input], { axes: attribute, keepdims: int(options.keepDims ?? false) })
  }
}

/** Sum over `axes` (default all). */
export const reduceSum = reduction('ReduceSum', 13)
/** Mean over `axes` (default all). */
export const reduceMean = reduction('ReduceMean', 18)
/** Maximum over `axes` (default all). */
export const reduceMax = reduction('ReduceMax', 18)
/** Minimum over `axes` (default all). */
export const reduceMin = reduction('ReduceMin', 18)
/** Product over `axes` (default all). */
export const reduceProd = reduction('ReduceProd', 18)
/** Sum of absolute values over `axes` (default all). */
export const reduceL1 = reduction('ReduceL1', 18)
/** Square root of the sum of squares over `axes` (default all). */
export const reduceL2 = reduction('ReduceL2', 18)
/** Sum of squares over `axes` (default all). */
export const reduceSumSquare = reduction('ReduceSumSquare', 18)
/** `ln Σ eˣ` over `axes` (default all). */
export const reduceLogSumExp = reduction('ReduceLogSumExp', 18)

/** Options of {@link argMax} and {@link argMin}. */
export interface ArgumentOptions extends ReduceOptions {
  /** The last of equals instead of the first (operator set 12). */
  readonly last?: boolean
}

function argument(op: EmittedOperator) {
  return (x: Value, axis: number, options: ArgumentOptions = {}): Value =>
    apply(op, [x], {
      axis: int(axis),
      keepdims: int(options.keepDims ?? false),
      select_last_index: options.last ? int(1) : undefined,
    })
}

/** Index of the largest along `axis`, int64; the first of equals. */
export const argMax = argument('ArgMax')
/** Index of the smallest along `axis`, int64; the first of equals. */
export const argMin = argument('ArgMin')

/** The `k` largest (or smallest) along `axis`, and their indices (int64). */
export function topK(
  x: Value,
  k: number | Value,
  options: { readonly axis?: number; readonly largest?: boolean; readonly sorted?: boolean } = {},
): [values: Value, indices: Value] {
  const { axis = -1, largest = true, sorted = true } = options
  const { opset } = x.builder
  if (opset < 11 && (!largest || !sorted)) {
    throw new PipiloError('OPERATOR_UNSUPPORTED', 'Before operator set 11, TopK gives the largest, sorted.')
  }
  const attributes = {
    axis: int(axis),
    largest: largest ? undefined : int(0),
    sorted: sorted ? undefined : int(0),
  }
  if (opset < 10 && typeof k === 'number') {
    return applyMany('TopK', [x], { ...attributes, k: int(k) }, 2) as [Value, Value]
  }
  const count = typeof k === 'number' ? integers([k], x.builder) : k
  return applyMany('TopK', [x, count], attributes, 2) as [Value, Value]
}
