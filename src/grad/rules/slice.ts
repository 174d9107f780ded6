/** Gradient of slicing. */
import { op, type Value } from '../../graph/index.ts'
import { zerosLike } from '../broadcasting.ts'
import type { BackwardCall } from '../rule.ts'
import { greatest, least, minus, padAxis, plus, type Size, sizeAt, times, vectorOf } from '../sizes.ts'

/** Zeros with the gradient where the slice was taken, axis by axis. */
export function sliceGradient(gradient: Value, call: BackwardCall): Value {
  if (gradient.shape.includes(0)) return zerosLike(call.input(0))
  const rank = call.input(0).shape.length
  const starts = startsOf(call)
  const axes = call.integers('axes', 3) ?? starts.map((_, i) => i)
  const steps = call.integers('steps', 4) ?? axes.map(() => 1)
  return axes.reduce(
    (whole, axis, i) =>
      placeAxis(whole, call, { axis: call.axis(axis, rank), start: starts[i]!, step: steps[i]! }),
    gradient,
  )
}

function startsOf(call: BackwardCall): readonly Size[] {
  const given = call.input(1)
  const [count] = given.shape
  if (typeof count !== 'number') throw call.unsupported('has a gradient for a known number of axes only')
  return Array.from({ length: count }, (_, i): Size => {
    const start = given.fact.content?.[i]
    return typeof start === 'number' ? start : op.slice(given, [i], [i + 1], { axes: [0] })
  })
}

function placeAxis(
  gradient: Value,
  call: BackwardCall,
  at: { readonly axis: number; readonly start: Size; readonly step: number },
): Value {
  const { axis, step } = at
  const size = sizeAt(call.input(0), axis)
  const isKnown = call.input(0).shape.every((one) => typeof one === 'number')
  const length = lengthAt(gradient, axis, isKnown)
  const start = resolved(at.start, size, step)
  const forward = step > 0 ? gradient : reversed(gradient, axis)
  const first = step > 0 ? start : plus(start, times(minus(length, 1), step))
  const stride = Math.abs(step)
  const spread = stride === 1 ? forward : dilated(forward, axis, stride, isKnown)
  return padAxis(spread, axis, first, minus(minus(size, first), times(length, stride)))
}

/** The first element's place from the front, within the axis. */
function resolved(start: Size, size: Size, step: number): Size {
  const last = step > 0 ? size : minus(size, 1)
  if (typeof start !== 'number') {
    const fromFront = op.where(op.less(start, 0), plus(start, size) as Value, start)
    return least(greatest(fromFront, 0), last)
  }
  return start < 0 ? greatest(plus(size, start), 0) : start === 0 ? 0 : least(start, last)
}

function reversed(x: Value, axis: number): Value {
  return op.slice(x, [-1], [-(2 ** 31)], { axes: [axis], steps: [-1] })
}

/** Inference takes a symbolic axis to be long enough for its slice, which the sizes that there are at run time need not bear out. */
function lengthAt(x: Value, axis: number, isKnown: boolean): Size {
  return isKnown ? sizeAt(x, axis) : op.shape(x, axis, axis + 1)
}

/** Each element along an axis followed by zeros. On the last axis padding would take six times as long. */
function dilated(x: Value, axis: number, stride: number, isKnown: boolean): Value {
  const single = op.unsqueeze(x, [axis + 1])
  const zeros = zerosLike(single)
  const padded = op.concat([single, ...Array.from({ length: stride - 1 }, () => zeros)], axis + 1)
  const sizes = x.shape.map((_, other) => lengthAt(x, other, isKnown))
  return op.reshape(padded, vectorOf(x.builder, sizes.with(axis, times(sizes[axis]!, stride))))
}
