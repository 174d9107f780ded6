/** Operators that reduce axes, and those that pick along one. */
import type { Dimension, Shape } from '../../types.ts'
import { elements, extreme } from '../dimension.ts'
import { type Call, forEach, type Rule, tensor } from '../rule.ts'

/** A shape without `axes`, or with 1 there. */
function reduced(shape: Shape, axes: readonly number[], keep: boolean): Shape {
  return keep
    ? shape.map((dimension, axis) => (axes.includes(axis) ? 1 : dimension))
    : shape.filter((_, axis) => !axes.includes(axis))
}

const reduce: Rule = (call) => {
  const dtype = call.dtype(0)
  const shape = call.shape(0)
  const keep = call.int('keepdims', 1) !== 0
  if (!shape) return [tensor(dtype)]
  const given = call.intsOrInput('axes', 1)
  if (!given && call.has(1)) {
    // Axes that are known only at run time: their number may still be.
    return [tensor(dtype, keep ? call.freshShape(0, shape.length) : undefined)]
  }
  if (!given?.length && call.int('noop_with_empty_axes', 0)) return [tensor(dtype, shape)]
  const axes = given?.length ? call.axes(given, shape.length) : shape.map((_, axis) => axis)
  return [tensor(dtype, reduced(shape, axes, keep), reduceContent(call))]
}

/** The product, sum, maximum or minimum of known sizes. */
function reduceContent(call: Call): readonly Dimension[] | undefined {
  const content = call.content(0)
  if (!content) return undefined
  if (call.node.op === 'ReduceProd') return [elements(content)]
  if (call.node.op !== 'ReduceMax' && call.node.op !== 'ReduceMin') return undefined
  const kind = call.node.op === 'ReduceMax' ? 'max' : 'min'
  return content.length === 0 ? undefined : [content.reduce((a, b) => extreme(kind, a, b))]
}

const argument: Rule = (call) => {
  const shape = call.shape(0)
  if (!shape) return [tensor('int64')]
  const axis = call.axis(call.int('axis', 0), shape.length)
  return [tensor('int64', reduced(shape, [axis], call.int('keepdims', 1) !== 0))]
}

const topK: Rule = (call) => {
  const dtype = call.dtype(0)
  const shape = call.shape(0)
  if (!shape) return [tensor(dtype), tensor('int64')]
  const axis = call.axis(call.int('axis', -1), shape.length)
  const k = call.int('k') ?? call.content(1)?.[0] ?? ''
  const size = shape[axis]!
  if (typeof k === 'number' && typeof size === 'number' && k > size) {
    throw call.error(`k is ${k} and axis ${axis} has ${size}`)
  }
  const result = shape.map((dimension, i) => (i === axis ? k || call.fresh(0, i) : dimension))
  return [tensor(dtype, result), tensor('int64', result)]
}

export const reduction = {
  ...forEach(
    [
      'ReduceL1',
      'ReduceL2',
      'ReduceLogSum',
      'ReduceLogSumExp',
      'ReduceMax',
      'ReduceMean',
      'ReduceMin',
      'ReduceProd',
      'ReduceSum',
      'ReduceSumSquare',
    ],
    reduce,
  ),
  ArgMax: argument,
  ArgMin: argument,
  TopK: topK,
} satisfies Readonly<Record<string, Rule>>
