/** Gradients of gathering and scattering: what was read in several places is summed. */
import { op, type Value } from '../../graph/index.ts'
import { expandLike, reshapeLike, zerosLike } from '../broadcasting.ts'
import type { BackwardCall, GradientRule } from '../rule.ts'
import { minus, padAxis, plus, type Size, sizeAt, vectorOf } from '../sizes.ts'
import { unary } from './arithmetic.ts'

const x = (call: BackwardCall) => call.input(0)

/** Rules by operator. */
export const indexingRules = {
  Gather: unary(gather),
  GatherElements: unary((g, call) => summedAt(x(call), call.input(1), g, call.int('axis', 0))),
  GatherND: unary(gatherND),
  ScatterElements: scatterElements,
  ScatterND: (call) => {
    const reduction = call.string('reduction') ?? 'none'
    const indices = call.input(1)
    if (reduction !== 'none' && reduction !== 'add')
      throw call.unsupported(`with reduction ${reduction} has no gradient`)
    const kept = () =>
      reduction === 'add' ? call.gradient : op.scatterND(call.gradient, indices, zerosLike(call.input(2)))
    return [
      call.wants(0) ? kept() : undefined,
      undefined,
      call.wants(2) ? op.gatherND(call.gradient, indices) : undefined,
    ]
  },
  TopK: unary((g, call) => placedAt(x(call), call.output(1), g, call.int('axis', -1))),
  OneHot: oneHot,
  Compress: (call) => {
    throw call.unsupported('has no gradient')
  },
  Unique: {
    needs: () => ['indices'],
    gradient: unary((g, call) => {
      if (call.int('axis') !== undefined) throw call.unsupported('has a gradient without an axis only')
      const flat = op.reshape(x(call), [-1])
      // Of equals, the first one is what was taken.
      return reshapeLike(placedAt(flat, call.output(1), g, 0), x(call))
    }),
  },
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
  return summedAt(data, spread, flat, axis)
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
function summedAt(data: Value, indices: Value, updates: Value, axis: number): Value {
  return op.scatterElements(zerosLike(data), indices, updates, { axis, reduction: 'add' })
}

/** Zeros like `data` with `updates` at `indices`, no two of which are equal. */
function placedAt(data: Value, indices: Value, updates: Value, axis: number): Value {
  return op.scatterElements(zerosLike(data), indices, updates, { axis })
}

/** The indexed axes become one, and index tuples places along it. */
function gatherND(gradient: Value, call: BackwardCall): Value {
  const [data, indices] = [call.input(0), call.input(1)]
  const width = indices.shape.at(-1)
  if (typeof width !== 'number') throw call.unsupported('has a gradient for indices of known width only')
  const batch = call.int('batch_dims', 0)
  const [end, rank] = [batch + width, data.shape.length]
  const b = data.builder
  const product = (from: number, to: number): Size => productOfSizes(data, from, to)
  const merged = op.reshape(data, vectorOf(b, [product(0, batch), product(batch, end), product(end, rank)]))
  const places = op.reshape(placesOf(indices, data, batch), vectorOf(b, [product(0, batch), -1, 1]))
  const updates = op.reshape(gradient, vectorOf(b, [product(0, batch), -1, product(end, rank)]))
  return reshapeLike(summedAt(merged, expandLike(places, updates), updates, 1), data)
}

/** The place that each index tuple names, counted along all indexed axes. */
function placesOf(indices: Value, data: Value, batch: number): Value {
  const width = Number(indices.shape.at(-1))
  const axes = Array.from({ length: width }, (_, i) => batch + i)
  const b = data.builder
  const sizes = vectorValue(
    data,
    axes.map((axis) => sizeAt(data, axis)),
  )
  const strides = vectorValue(
    data,
    axes.map((axis) => productOfSizes(data, axis + 1, batch + width)),
  )
  const fromFront = op.where(op.less(indices, b.constant(0, indices.dtype)), op.add(indices, sizes), indices)
  return op.reduceSum(op.mul(fromFront, strides), [-1])
}

function vectorValue({ builder }: Value, sizes: readonly Size[]): Value {
  const vector = vectorOf(builder, sizes)
  return 'builder' in vector ? vector : builder.constant(vector)
}

/** The number of elements of the axes from `start` to before `end`. */
function productOfSizes(x: Value, start: number, end: number): Size {
  const sizes = x.shape.slice(start, end)
  if (sizes.every((size) => typeof size === 'number')) return sizes.reduce((a, b) => a * b, 1)
  return op.reduceProd(op.shape(x, start, end), [0], { keepDims: true })
}

/** Elements that are written over have no gradient; those that are combined have that of the combination. */
function scatterElements(call: BackwardCall): readonly (Value | undefined)[] {
  const { gradient } = call
  const [indices, updates] = [call.input(1), call.input(2)]
  const axis = call.int('axis', 0)
  const reduction = call.string('reduction') ?? 'none'
  const pair = (byData: () => Value, byUpdates: () => Value) => [
    call.wants(0) ? byData() : undefined,
    undefined,
    call.wants(2) ? byUpdates() : undefined,
  ]
  const picked = (value: Value) => op.gatherElements(value, indices, axis)
  if (reduction === 'none') {
    const zeros = () => zerosLike(updates)
    return pair(
      () => op.scatterElements(gradient, indices, zeros(), { axis }),
      () => picked(gradient),
    )
  }
  if (reduction === 'add')
    return pair(
      () => gradient,
      () => picked(gradient),
    )
  if (reduction === 'mul') return scatterProduct(call, axis, pair)
  return scatterExtreme(call, axis, pair)
}

type Pair = (byData: () => Value, byUpdates: () => Value) => readonly (Value | undefined)[]

/** The product of the other factors: of several zeros among a place's factors, none has a gradient. */
function scatterProduct(call: BackwardCall, axis: number, pair: Pair): readonly (Value | undefined)[] {
  const { gradient } = call
  const [data, indices, updates] = [call.input(0), call.input(1), call.input(2)]
  const { dtype } = data
  const times = (to: Value, factors: Value) =>
    op.scatterElements(to, indices, factors, { axis, reduction: 'mul' })
  const picked = (value: Value) => op.gatherElements(value, indices, axis)
  const one = (like: Value) => op.add(zerosLike(like), 1)
  const byUpdates = () => {
    const isZero = op.equal(updates, 0)
    const zeros = picked(summedAt(data, indices, op.cast(isZero, dtype), axis))
    const safe = op.where(isZero, 1, updates)
    // The product without the zeros among the updates; what the place held counts.
    const rest = picked(times(data, safe))
    const others = op.where(
      isZero,
      op.where(op.equal(zeros, 1), rest, 0),
      op.where(op.equal(zeros, 0), op.div(rest, safe), 0),
    )
    return op.mul(picked(gradient), others)
  }
  return pair(() => op.mul(gradient, times(one(data), updates)), byUpdates)
}

/** Equal extremes share the gradient evenly, as with `torch.scatter_reduce`. */
function scatterExtreme(call: BackwardCall, axis: number, pair: Pair): readonly (Value | undefined)[] {
  const [data, indices, updates] = [call.input(0), call.input(1), call.input(2)]
  const y = call.output(0)
  const { dtype } = data
  const isData = op.cast(op.equal(data, y), dtype)
  const isUpdate = op.cast(op.equal(updates, op.gatherElements(y, indices, axis)), dtype)
  const count = op.scatterElements(isData, indices, isUpdate, { axis, reduction: 'add' })
  const share = op.div(call.gradient, count)
  return pair(
    () => op.mul(share, isData),
    () => op.mul(op.gatherElements(share, indices, axis), isUpdate),
  )
}

/** By the two values: the sums of the gradients where each stands. */
function oneHot(call: BackwardCall): readonly (Value | undefined)[] {
  if (!call.wants(2)) return []
  const { gradient } = call
  const values = call.input(2)
  const places = values.builder.constant([0, 1], values.dtype)
  const mask = call.builder.node('OneHot', [call.input(0), call.input(1), places], call.node.attributes)[0]!
  const on = op.reduceSum(op.mul(gradient, mask))
  const off = op.sub(op.reduceSum(gradient), on)
  return [undefined, undefined, op.concat([op.reshape(off, [1]), op.reshape(on, [1])], 0)]
}
