/** `Slice`. */
import type { Dimension } from '../../types.ts'
import { add, atLeast, divideCeil, extreme, subtract } from '../dimension.ts'
import { type Call, type Rule, tensor } from '../rule.ts'

/** The length of `start:end:step` on an axis of `dimension`; a symbolic end on an axis of known length is taken to lie inside. */
function sliced(dimension: Dimension, start: Dimension, end: Dimension, step: number): Dimension {
  const least = atLeast(dimension)
  const counted = (at: number): Dimension => (at < 0 ? add(at, dimension) : at)
  const clamp = (at: Dimension, low: Dimension, high: Dimension): Dimension => {
    if (typeof at !== 'number') return at
    if (typeof dimension === 'number') return extreme('max', low, extreme('min', counted(at), high))
    if (Math.abs(at) <= least) return counted(at)
    if (Math.abs(at) > 2 ** 30) return at < 0 ? low : high
    return at < 0 ? extreme('max', low, counted(at)) : extreme('min', at, high)
  }
  if (dimension === 0) return 0
  if (start === '' || end === '') return ''
  // The last so many, or all: what remains of a subtraction would not say so.
  const isTail = step === 1 && Number(start) < -least && Number(start) > -(2 ** 30) && Number(end) > 2 ** 30
  if (isTail && typeof dimension !== 'number') return extreme('min', -Number(start), dimension)
  const [from, to] =
    step > 0
      ? [clamp(start, 0, dimension), clamp(end, 0, dimension)]
      : [clamp(start, 0, subtract(dimension, 1)), clamp(end, -1, subtract(dimension, 1))]
  const span = step > 0 ? subtract(to, from) : subtract(from, to)
  const length = divideCeil(span, Math.abs(step))
  return typeof length === 'number' ? Math.max(0, length) : length
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
  return typeof count === 'number' ? Array.from({ length: count }, (_, i) => i) : undefined
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
