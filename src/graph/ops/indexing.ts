/** Gathering and scattering. */
import type { Value } from '../builder.ts'
import { apply, applyMany, int, type Operand, operand, string } from './apply.ts'

/** Slices of `data` along `axis` at `indices` (a number picks one and drops the axis). */
export function gather(data: Value, indices: Value | number, axis = 0): Value {
  const at = typeof indices === 'number' ? data.builder.constant(indices) : indices
  return apply('Gather', [data, at], { axis: int(axis) })
}

/** Elements of `data` at `indices` along `axis`, the other axes staying in place (PyTorch's `gather`). */
export function gatherElements(data: Value, indices: Value, axis = 0): Value {
  return apply('GatherElements', [data, indices], { axis: int(axis) })
}

/** Slices of `data` at index tuples, the last axis of `indices`. */
export function gatherND(data: Value, indices: Value, batchDims = 0): Value {
  return apply('GatherND', [data, indices], { batch_dims: batchDims ? int(batchDims) : undefined })
}

/** How scattering combines: replace, or reduce (operator set 16; `max` and `min` 18). */
export type ScatterReduction = 'none' | 'add' | 'mul' | 'max' | 'min'

/** `data` with `updates` put at `indices` along `axis` (PyTorch's `scatter`). */
export function scatterElements(
  data: Value,
  indices: Value,
  updates: Value,
  options: { readonly axis?: number; readonly reduction?: ScatterReduction } = {},
): Value {
  const { axis = 0, reduction } = options
  return apply('ScatterElements', [data, indices, updates], { axis: int(axis), reduction: string(reduction) })
}

/**
 * `data` with slices put at index tuples. Repeated indices with a reduction are wrong in ONNX Runtime with more than one
 * thread: use {@link scatterElements} there.
 */
export function scatterND(data: Value, indices: Value, updates: Value, reduction?: ScatterReduction): Value {
  return apply('ScatterND', [data, indices, updates], { reduction: string(reduction) })
}

/** One-hot rows: `on` at the index and `off` elsewhere, along a new `axis`; dtype of `values` [off, on]. */
export function oneHot(indices: Value, depth: Operand, values: Value, axis = -1): Value {
  return apply('OneHot', [indices, operand(depth, indices), values], { axis: int(axis) })
}

/** Indices of the elements that are not zero: int64 [rank, count]. */
export function nonZero(x: Value): Value {
  return apply('NonZero', [x])
}

/** Distinct elements: values, first indices, inverse indices, counts. */
export function unique(
  x: Value,
  options: { readonly axis?: number; readonly sorted?: boolean } = {},
): Value[] {
  return applyMany('Unique', [x], { axis: int(options.axis), sorted: int(options.sorted) }, 4)
}
