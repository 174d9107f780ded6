/** Gradients of broadcasting, which sums. */
import { op, type Value } from '../graph/index.ts'

/**
 * `gradient` summed over the axes along which `like` was broadcast, in the shape of `like`.
 *
 * Sizes that are known only at run time are compared there; two sizes of one name are equal.
 */
export function unbroadcast(gradient: Value, like: Value): Value {
  const { builder } = gradient
  const [from, to] = [gradient.shape, like.shape]
  const added = from.length - to.length
  const certain: number[] = from.slice(0, added).map((_, axis) => axis)
  let doubtful = false
  for (const [axis, size] of to.entries()) {
    const grown = from[axis + added]
    if (size === grown && size !== '') continue
    if (size === 1) certain.push(axis + added)
    else if (typeof size === 'string') doubtful = true
  }
  if (!doubtful) {
    if (certain.length === 0) return gradient
    const sum = op.reduceSum(gradient, certain, { keepDims: true })
    return added === 0 ? sum : reshapeLike(sum, like)
  }
  const ones = Array.from({ length: added }, () => 1)
  const sizes = added === 0 ? op.shape(like) : op.concat([builder.constant(ones), op.shape(like)], 0)
  const axes = op.reshape(op.nonZero(op.equal(sizes, builder.constant([1]))), [-1])
  // Without axes the operator would sum over all.
  const sum = builder.node('ReduceSum', [gradient, axes], {
    keepdims: { type: 'int', value: 1 },
    noop_with_empty_axes: { type: 'int', value: 1 },
  })[0]!
  return reshapeLike(sum, like)
}

/** `x` in the shape of `like`, which has as many elements. */
export function reshapeLike(x: Value, like: Value): Value {
  const sizes = like.shape.map((size) => (typeof size === 'number' ? size : -1))
  const isClear = sizes.filter((size) => size === -1).length <= 1 && !sizes.includes(0)
  return op.reshape(x, isClear ? sizes : op.shape(like))
}
