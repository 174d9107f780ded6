/** `Slice`. */
import type { Dimension } from '../../types.ts'
import { add, divideCeil, extreme, subtract } from '../dimension.ts'
import { type Call, MOST_AXES, type Rule, tensor } from '../rule.ts'

/** The length of `start:end:step` on an axis of `dimension`. */
function sliced(dimension: Dimension, start: Dimension, end: Dimension, step: number): Dimension {
  if (dimension === 0) return 0
  if (start === '' || end === '') return ''
  const [from, to] =
    typeof dimension === 'number'
      ? bounds(dimension, start, end, step)
      : symbolicBounds(dimension, start, end, step)
  const span = step > 0 ? subtract(to, from) : subtract(from, to)
  const length = divideCeil(span, Math.abs(step))
  return typeof length === 'number' ? Math.max(0, length) : length
}

type Bounds = readonly [from: Dimension, to: Dimension]

/** Of an axis whose length is known; a symbolic start or end is taken to lie inside. */
function bounds(length: number, start: Dimension, end: Dimension, step: number): Bounds {
  const clamp = (at: Dimension, low: number, high: number): Dimension =>
    typeof at === 'number' ? Math.max(low, Math.min(at < 0 ? at + length : at, high)) : at
  return step > 0
    ? [clamp(start, 0, length), clamp(end, 0, length)]
    : [clamp(start, 0, length - 1), clamp(end, -1, length - 1)]
}

/** More than any axis is long: exporters write the largest integer for an open end. */
const OPEN = 2 ** 30

/**
 * Of a symbolic axis, which is taken to hold the first element of what is cut out. It may end before the last one: a number there would be a
 * false size.
 */
function symbolicBounds(dimension: Dimension, start: Dimension, end: Dimension, step: number): Bounds {
  const last = subtract(dimension, 1)
  const atMost = (count: number): Dimension => (count <= 1 ? count : extreme('min', count, dimension))
  if (step > 0) {
    const from = typeof start !== 'number' || start >= 0 ? start : subtract(dimension, atMost(-start))
    if (typeof end !== 'number') return [from, end]
    if (end < 0) return [from, end < -OPEN ? 0 : add(end, dimension)]
    if (end > OPEN) return [from, dimension]
    return [from, atMost(end)]
  }
  const to = typeof end !== 'number' || end >= 0 ? end : end < -OPEN ? -1 : add(end, dimension)
  if (typeof start !== 'number') return [start, to]
  if (start < 0) return [add(start, dimension), to]
  return [start > OPEN ? last : start === 0 ? 0 : extreme('min', start, last), to]
}

export const slice: Rule = (call) => {
  const dtype = call.dtype(0)
  const shape = call.shape(0)
  if (!shape) return [tensor(dtype)]
  const starts = call.ints('starts') ?? call.content(1)
  const ends = call.ints('ends') ?? call.content(2)
  const steps = call.has(4) ? call.content(4) : undefined
  const count = starts?.length ?? ends?.length ?? call.shape(1)?.[0] ?? call.shape(2)?.[0]
  const axes = call.ints('axes') ?? (call.has(3) ? call.numbers(3) : firstAxes(count))
  if (!axes || (call.has(4) && !steps)) return [tensor(dtype, call.freshShape(0, shape.length))]
  const result = [...shape]
  axes.forEach((given, i) => {
    const axis = call.axis(given, shape.length)
    const step = steps?.[i] ?? 1
    const length =
      typeof step === 'number' ? sliced(shape[axis]!, starts?.[i] ?? '', ends?.[i] ?? '', step) : ''
    result[axis] = length === '' ? call.fresh(0, axis) : length
  })
  return [tensor(dtype, result, sliceContent(call, starts, ends, steps))]
}

function firstAxes(count: Dimension | undefined): number[] | undefined {
  return typeof count === 'number' && count <= MOST_AXES
    ? Array.from({ length: count }, (_, i) => i)
    : undefined
}

function sliceContent(
  call: Call,
  starts: readonly Dimension[] | undefined,
  ends: readonly Dimension[] | undefined,
  steps: readonly Dimension[] | undefined,
): readonly Dimension[] | undefined {
  const content = call.content(0)
  const [start, end, step] = [starts?.[0], ends?.[0], steps?.[0] ?? 1]
  if (!content || typeof start !== 'number' || typeof end !== 'number' || typeof step !== 'number') {
    return undefined
  }
  if (step === 1) return content.slice(start, end)
  const length = Number(sliced(content.length, start, end, step))
  const from = start < 0 ? start + content.length : Math.min(start, content.length - (step < 0 ? 1 : 0))
  return Array.from({ length }, (_, i) => content[Math.max(0, from) + i * step]!)
}
