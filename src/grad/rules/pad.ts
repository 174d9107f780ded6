/** Gradient of padding. */
import { op, type Value } from '../../graph/index.ts'
import type { BackwardCall } from '../rule.ts'
import { padAxis } from '../sizes.ts'

/** The gradient by what is padded, and by the number it is padded with. */
export function padGradient(call: BackwardCall): (Value | undefined)[] {
  const mode = call.string('mode') ?? 'constant'
  if (mode !== 'constant') return [call.wants(0) ? folded(call, mode) : undefined]
  const inside = cropped(call)
  const filling = call.inputs[2]
  const outside = () => op.sub(op.reduceSum(call.gradient), op.reduceSum(inside))
  return [
    call.wants(0) ? inside : undefined,
    undefined,
    filling && call.wants(2) ? unbroadcastScalar(outside(), filling) : undefined,
  ]
}

function unbroadcastScalar(x: Value, like: Value): Value {
  return like.shape.length === 0 ? x : op.reshape(x, [1])
}

/** The gradient without what was put around; zeros where something was cut off. */
function cropped(call: BackwardCall): Value {
  const { builder, gradient } = call
  const axes = call.inputs[3]
  const pads = op.neg(call.input(1))
  return builder.node('Pad', [gradient, pads, ...(axes ? [undefined, axes] : [])], {
    mode: { type: 'string', value: 'constant' },
  })[0]!
}

/** The gradients of a border that repeats elements are added to theirs, axis by axis. */
function folded(call: BackwardCall, mode: string): Value {
  const input = call.input(0)
  const rank = input.shape.length
  const pads = call.integers('pads', 1) ?? []
  if (pads.some((pad) => pad < 0))
    throw call.unsupported(`in mode ${mode} has no gradient with negative pads`)
  const given = call.inputs[3] ? (call.integers('axes', 3) ?? []) : [...input.shape.keys()]
  return given.reduce((gradient, axis, i) => {
    const ends = [pads[i]!, pads[i + given.length]!] as const
    return foldAxis(call, gradient, call.axis(axis, rank), ends, mode)
  }, call.gradient)
}

function foldAxis(
  call: BackwardCall,
  gradient: Value,
  axis: number,
  [before, after]: readonly [number, number],
  mode: string,
): Value {
  if (before === 0 && after === 0) return gradient
  const size = call.input(0).shape[axis]
  if (typeof size !== 'number') {
    throw call.unsupported(
      `in mode ${mode} has a gradient for known sizes only; axis ${axis} is ${size || '?'}`,
    )
  }
  const range = (start: number, end: number) => op.slice(gradient, [start], [end], { axes: [axis] })
  const placed = (part: Value, at: number) => padAxis(part, axis, at, size - at - Number(part.shape[axis]))
  const parts = [range(before, before + size)]
  if (before > 0)
    parts.push(placed(...bordering(call, range(0, before), { axis, mode, size, isFirst: true })))
  if (after > 0) {
    const border = range(before + size, before + size + after)
    parts.push(placed(...bordering(call, border, { axis, mode, size, isFirst: false })))
  }
  return parts.reduce((sum, part) => op.add(sum, part))
}

/** A border's gradient in the order of the elements that it repeats, and where these begin. */
function bordering(
  call: BackwardCall,
  border: Value,
  at: { readonly axis: number; readonly mode: string; readonly size: number; readonly isFirst: boolean },
): [Value, number] {
  const { axis, mode, size, isFirst } = at
  const width = Number(border.shape[axis])
  if (mode === 'edge') return [op.reduceSum(border, [axis], { keepDims: true }), isFirst ? 0 : size - 1]
  if (mode === 'wrap' && width <= size) return [border, isFirst ? size - width : 0]
  if (mode === 'reflect' && width < size) {
    const turned = op.slice(border, [-1], [-(2 ** 31)], { axes: [axis], steps: [-1] })
    return [turned, isFirst ? 1 : size - 1 - width]
  }
  throw call.unsupported(`in mode ${mode} has no gradient for a border of ${width} beside ${size}`)
}
