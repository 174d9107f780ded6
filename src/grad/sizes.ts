/** Sizes that are numbers where they are known, and computed in the graph where they are not. */
import { type Builder, type Integers, op, type Value } from '../graph/index.ts'

/** One size or place along an axis: a number, or an int64 vector of one element. */
export type Size = number | Value

/** The size of an axis. */
export function sizeAt(x: Value, axis: number): Size {
  const size = x.shape[axis]
  return typeof size === 'number' ? size : op.shape(x, axis, axis + 1)
}

/** `a + b` */
export function plus(a: Size, b: Size): Size {
  if (typeof a === 'number' && typeof b === 'number') return a + b
  if (a === 0) return b
  return b === 0 ? a : op.add(a, b)
}

/** `a - b` */
export function minus(a: Size, b: Size): Size {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return b === 0 ? a : op.sub(a, b)
}

/** `a · b` */
export function times(a: Size, b: number): Size {
  return typeof a === 'number' ? a * b : b === 1 ? a : op.mul(a, b)
}

/** The lesser of both. */
export function least(a: Size, b: Size): Size {
  return typeof a === 'number' && typeof b === 'number' ? Math.min(a, b) : op.min(a, b)
}

/** The greater of both. */
export function greatest(a: Size, b: Size): Size {
  return typeof a === 'number' && typeof b === 'number' ? Math.max(a, b) : op.max(a, b)
}

/** Sizes as one vector. */
export function vectorOf(builder: Builder, sizes: readonly Size[]): Integers {
  if (sizes.every((size) => typeof size === 'number')) return sizes
  return op.concat(
    sizes.map((size) => (typeof size === 'number' ? builder.constant([size]) : size)),
    0,
  )
}

/** `x` with zeros around it along one axis, `before` and `after` it; negative ones cut. */
export function padAxis(x: Value, axis: number, before: Size, after: Size): Value {
  if (before === 0 && after === 0) return x
  const zeros = x.shape.map((): Size => 0)
  return op.pad(x, vectorOf(x.builder, [...zeros.with(axis, before), ...zeros.with(axis, after)]))
}
