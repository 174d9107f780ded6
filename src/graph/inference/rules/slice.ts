/** `Slice`. */
import type { Dimension } from '../../types.ts'
import { add, divideCeil, extreme, subtract } from '../dimension.ts'
import { type Call, type Rule, tensor } from '../rule.ts'

/** The length of `start:end:step` on an axis of `dimension`; a symbolic end is taken to lie inside. */
function sliced(dimension: Dimension, start: Dimension, end: Dimension, step: number): Dimension {
  const clamp = (at: Dimension, low: Dimension, high: Dimension): Dimension => {
    if (typeof at !== 'number') return at
    const resolved = at < 0 ? add(at, dimension) : at
    if (typeof resolved !== 'number') return Math.abs(at) > 2 ** 30 ? low : resolved
    if (typeof dimension !== 'number') return resolved > 2 ** 30 ? high : resolved
    return extreme('max', low, extreme('min', resolved, high))
  }
  if (dimension === 0) return 0
  if (start === '' || end === '') return ''
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
