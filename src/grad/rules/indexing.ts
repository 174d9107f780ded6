/** Gradients of gathering and scattering: what was read in several places is summed. */
import { op, type Value } from '../../graph/index.ts'
import { expandLike, zerosLike } from '../broadcasting.ts'
import type { BackwardCall, GradientRule } from '../rule.ts'
import { minus, padAxis, plus, type Size, sizeAt, vectorOf } from '../sizes.ts'
import { unary } from './arithmetic.ts'

/** Rules by operator. */
export const indexingRules = {
  Gather: unary(gather),
} as const satisfies Record<string, GradientRule>

function gather(gradient: Value, call: BackwardCall): Value {
  const [data, indices] = [call.input(0), call.input(1)]
  const rank = data.shape.length
  const axis = call.axis(call.int('axis', 0), rank)
  const flat = flatten(gradient, data, indices, axis)
  const known = indices.fact.content?.every((index) => typeof index === 'number')
    ? (indices.fact.content as readonly number[])
    : undefined
  const range = known && rangeOf(known)
  if (range !== undefined) {
    const size = sizeAt(data, axis)
    const before = range < 0 ? plus(size, range) : range
    return padAxis(flat, axis, before, minus(minus(size, before), known!.length))
  }
  const column = [-1, ...Array.from({ length: rank - axis - 1 }, () => 1)]
  const spread = expandLike(op.reshape(indices, column), flat)
  return summedAt(call, data, spread, flat, axis)
}

/** The gradient with the axes of the indices as one. */
function flatten(gradient: Value, data: Value, indices: Value, axis: number): Value {
  const axes = indices.shape.length
  if (axes === 1) return gradient
  if (axes === 0) return op.unsqueeze(gradient, [axis])
  if (axis === 0 && data.shape.length === 2) return op.flatten(gradient, axes)
  const sizes = data.shape.map((_, other): Size => sizeAt(data, other))
  return op.reshape(gradient, vectorOf(data.builder, sizes.with(axis, -1)))
}

/** The first of indices that follow one another; `undefined` for others. */
function rangeOf(indices: readonly number[]): number | undefined {
  const [first] = indices
  const inOrder = first !== undefined && indices.every((index, i) => index === first + i)
  return inOrder && (first >= 0 || first + indices.length <= 0) ? first : undefined
}

/** Zeros like `data` to which `updates` are added at `indices` along `axis`. ScatterND would be wrong with threads. */
export function summedAt(
  call: BackwardCall,
  data: Value,
  indices: Value,
  updates: Value,
  axis: number,
): Value {
  if (call.builder.opset < 16) {
    throw call.unsupported('has a gradient from operator set 16 on only, where indices may repeat')
  }
  return op.scatterElements(zerosLike(data), indices, updates, { axis, reduction: 'add' })
}
