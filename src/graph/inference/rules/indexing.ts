/** Operators that gather and scatter. */
import type { Dimension } from '../../types.ts'
import { type Rule, tensor } from '../rule.ts'

const gather: Rule = (call) => {
  const dtype = call.dtype(0)
  const data = call.shape(0)
  const indices = call.shape(1)
  if (!data || !indices) return [tensor(dtype)]
  const axis = call.axis(call.int('axis', 0), data.length)
  const content = call.content(0)
  const at = call.numbers(1)
  const size = data[axis]!
  const outside = at?.find((index) => typeof size === 'number' && (index >= size || index < -size))
  if (outside !== undefined) throw call.error(`there is no index ${outside} on axis ${axis} of ${size}`)
  const picked =
    content && at && indices.length <= 1
      ? at.map((index) => content[index < 0 ? index + content.length : index] ?? '')
      : undefined
  return [tensor(dtype, [...data.slice(0, axis), ...indices, ...data.slice(axis + 1)], picked)]
}

const gatherElements: Rule = (call) => {
  const [data, indices] = [call.shape(0), call.shape(1)]
  if (data && indices && data.length !== indices.length) throw call.error('ranks differ')
  return [tensor(call.dtype(0), indices)]
}

const gatherND: Rule = (call) => {
  const [data, indices] = [call.shape(0), call.shape(1)]
  const last = indices?.at(-1)
  if (!data || !indices || typeof last !== 'number') return [tensor(call.dtype(0))]
  const batch = call.int('batch_dims', 0)
  if (batch + last > data.length) throw call.error(`indices of ${last} numbers are too long`)
  return [tensor(call.dtype(0), [...indices.slice(0, -1), ...data.slice(batch + last)])]
}

const oneHot: Rule = (call) => {
  const indices = call.shape(0)
  const dtype = call.dtype(2)
  if (!indices) return [tensor(dtype)]
  const axis = call.axis(call.int('axis', -1), indices.length + 1)
  const result: Dimension[] = [...indices]
  result.splice(axis, 0, call.content(1)?.[0] || call.fresh(0, axis))
  return [tensor(dtype, result)]
}

const nonZero: Rule = (call) => {
  const shape = call.shape(0)
  return [tensor('int64', [shape ? Math.max(1, shape.length) : call.fresh(0, 0), call.fresh(0, 1)])]
}

const compress: Rule = (call) => {
  const shape = call.shape(0)
  const axis = call.int('axis')
  if (axis === undefined) return [tensor(call.dtype(0), [call.fresh(0, 0)])]
  if (!shape) return [tensor(call.dtype(0))]
  const at = call.axis(axis, shape.length)
  return [
    tensor(
      call.dtype(0),
      shape.map((dimension, i) => (i === at ? call.fresh(0, i) : dimension)),
    ),
  ]
}

const unique: Rule = (call) => {
  const shape = call.shape(0)
  const axis = call.int('axis')
  const count = call.fresh(0, axis === undefined ? 0 : axis)
  const values =
    axis === undefined
      ? [count]
      : shape?.map((dimension, i) => (i === call.axis(axis, shape.length) ? count : dimension))
  const inverse = axis === undefined ? undefined : shape?.[call.axis(axis, shape.length)]
  return [
    tensor(call.dtype(0), values),
    tensor('int64', [count]),
    tensor('int64', [inverse ?? call.fresh(2, 0)]),
    tensor('int64', [count]),
  ]
}

const nonMaxSuppression: Rule = (call) => [tensor('int64', [call.fresh(0, 0), 3])]

export const indexing = {
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherND,
  OneHot: oneHot,
  NonZero: nonZero,
  Compress: compress,
  Unique: unique,
  NonMaxSuppression: nonMaxSuppression,
} satisfies Readonly<Record<string, Rule>>
