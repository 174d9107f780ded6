/** Gradients of operators that move elements without changing them. */
import { op, type Value } from '../../graph/index.ts'
import { reshapeLike, unbroadcast, zerosLike } from '../broadcasting.ts'
import type { BackwardCall, GradientRule } from '../rule.ts'
import { plus, type Size, sizeAt, vectorOf } from '../sizes.ts'
import { swappedProduct } from '../transposes.ts'
import { unary } from './arithmetic.ts'
import { padGradient } from './pad.ts'
import { sliceGradient } from './slice.ts'

const asInput = unary((g, call) => reshapeLike(g, call.input(0)))

/** Rules by operator. */
export const shapeRules = {
  Reshape: asInput,
  Flatten: asInput,
  Squeeze: asInput,
  Unsqueeze: asInput,
  Transpose: unary(transpose),
  Concat: concat,
  Split: (call) => {
    if (!call.wants(0)) return []
    const axis = call.axis(call.int('axis', 0), call.input(0).shape.length)
    const parts = call.gradients.map((gradient, i) => gradient ?? zerosLike(call.output(i)))
    return [parts.length === 1 ? parts[0] : op.concat(parts, axis)]
  },
  Expand: unary((g, call) => unbroadcast(g, call.input(0))),
  Tile: unary(tile),
  Pad: padGradient,
  Slice: unary(sliceGradient),
  Trilu: unary((g, call) => call.builder.node('Trilu', [g, call.inputs[1]], call.node.attributes)[0]!),
  CumSum: unary((g, call) => {
    const reverse = { type: 'int', value: 1 - call.int('reverse', 0) } as const
    return call.builder.node('CumSum', [g, call.input(1)], { ...call.node.attributes, reverse })[0]!
  }),
  // y is start + i · delta, where the limit decides how many there are.
  Range: (call) => {
    const places = () => op.div(op.sub(call.output(0), call.input(0)), call.input(2))
    return [
      call.wants(0) ? op.reduceSum(call.gradient) : undefined,
      undefined,
      call.wants(2) ? op.reduceSum(op.mul(call.gradient, places())) : undefined,
    ]
  },
  ReverseSequence: unary((g, call) => {
    return call.builder.node('ReverseSequence', [g, call.input(1)], call.node.attributes)[0]!
  }),
} as const satisfies Record<string, GradientRule>

function transpose(gradient: Value, call: BackwardCall): Value {
  const rank = gradient.shape.length
  const order = call.ints('perm') ?? [...gradient.shape.keys()].reverse()
  const back = [...gradient.shape.keys()].map((axis) => order.indexOf(axis))
  // Moving the last axis is slow: a product can be had the other way round.
  const other = back.at(-1) === rank - 1 ? undefined : swappedProduct(gradient)
  if (!other) return op.transpose(gradient, back)
  const swap = (axis: number) => (axis === rank - 1 ? rank - 2 : axis === rank - 2 ? rank - 1 : axis)
  const rest = back.map(swap)
  return rest.every((axis, i) => axis === i) ? other : op.transpose(other, rest)
}

function concat(call: BackwardCall): (Value | undefined)[] {
  const { gradient, builder } = call
  const inputs = call.inputs.map((_, index) => call.input(index))
  const axis = call.axis(call.int('axis', 0), gradient.shape.length)
  const sizes = inputs.map((input) => sizeAt(input, axis))
  if (inputs.length === 1) return [gradient]
  if (inputs.every((_, index) => call.wants(index))) return split(gradient, sizes, axis)
  let at: Size = 0
  return inputs.map((_, index) => {
    const [start, end]: [Size, Size] = [at, plus(at, sizes[index]!)]
    at = end
    if (!call.wants(index)) return undefined
    return op.slice(gradient, vectorOf(builder, [start]), vectorOf(builder, [end]), { axes: [axis] })
  })
}

function split(x: Value, sizes: readonly Size[], axis: number): Value[] {
  if (sizes.every((size) => typeof size === 'number')) return op.split(x, sizes, axis)
  const vector = vectorOf(x.builder, sizes) as Value
  const attributes = { axis: { type: 'int', value: axis } } as const
  return x.builder.node('Split', [x, vector], attributes, { outputs: sizes.length })
}

/** Each axis is parted into its repetitions and its elements, and summed over the former. */
function tile(gradient: Value, call: BackwardCall): Value {
  const input = call.input(0)
  const repeats = call.integers('repeats', 1) ?? []
  const repeated = repeats.flatMap((count, axis) => (count === 1 ? [] : [axis]))
  if (repeated.length === 0) return gradient
  const sizes: Size[] = []
  const summed: number[] = []
  for (const [axis, count] of repeats.entries()) {
    if (count !== 1) {
      summed.push(sizes.length)
      sizes.push(count)
    }
    sizes.push(sizeAt(input, axis))
  }
  const parted = op.reshape(gradient, vectorOf(call.builder, sizes), {
    allowZero: sizes.includes(0),
  })
  return op.reduceSum(parted, summed)
}
