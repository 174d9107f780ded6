/** Gradients of pooling. */
import { op, type Value } from '../../graph/index.ts'
import { reshapeLike } from '../broadcasting.ts'
import { type LinearMap, linearMap, transposedMaps } from '../linearMaps.ts'
import type { BackwardCall, GradientRule } from '../rule.ts'
import { spatial, type Windows, windowsOf } from '../windows.ts'

/** Rules by operator. */
export const poolingRules = {
  // Indices name one element of each window, as in PyTorch; masks of what equals the maximum would count ties twice.
  MaxPool: {
    needs: () => ['Indices'],
    gradient: (call) => {
      if (call.int('storage_order', 0) !== 0) {
        throw call.unsupported('has a gradient for indices in row-major order only (storage_order 0)')
      }
      const [x, indices, dy] = [call.input(0), call.output(1), call.gradient]
      return [
        isOverlapping(call) || x.dtype !== 'float32'
          ? scattered(x, indices, dy, isOverlapping(call))
          : unpooled(call),
      ]
    },
  },
  AveragePool: (call) => [transposedMaps(call.gradient, means(call))],
  LpPool: (call) => {
    const sums = windowSums(call)
    return [ofNorm(call, (dy) => transposedMaps(dy, sums))]
  },
  GlobalAveragePool: (call) => {
    const x = call.input(0)
    const axes = spaceOf(x)
    if (isKnown(x)) {
      const area = axes.reduce((product, axis) => product * Number(x.shape[axis]), 1)
      return [op.expand(op.div(call.gradient, area), op.shape(x))]
    }
    const area = op.reduceProd(op.cast(op.shape(x, 2), call.gradient.dtype))
    return [op.expand(op.div(call.gradient, area), op.shape(x))]
  },
  // The first of equals, as PyTorch's adaptive_max_pool chooses.
  GlobalMaxPool: (call) => {
    const x = call.input(0)
    const flat = op.reshape(x, [0, 0, -1])
    const at = op.argMax(flat, 2, { keepDims: true })
    const zeros = op.constantOfShape(op.shape(flat), 0, x.dtype)
    const dy = op.reshape(call.gradient, [0, 0, 1])
    return [reshapeLike(op.scatterElements(zeros, at, dy, { axis: 2 }), x)]
  },
  GlobalLpPool: (call) => {
    const x = call.input(0)
    return [ofNorm(call, (dy) => op.expand(dy, op.shape(x)))]
  },
  MaxUnpool: (call) => {
    const places = op.reshape(call.input(1), [-1])
    return [reshapeLike(op.gather(op.reshape(call.gradient, [-1]), places), call.input(0))]
  },
  MaxRoiPool: (call) => {
    throw call.unsupported('has no gradient')
  },
  RoiAlign: (call) => {
    throw call.unsupported('has no gradient')
  },
} as const satisfies Record<string, GradientRule>

/** Gradients put in their places, each of which is taken once: for float32 alone, in half the time of scattering. */
function unpooled(call: BackwardCall): Value {
  const x = call.input(0)
  const outputShape =
    isKnown(x) && x.shape.every((size) => typeof size === 'number') ? x.shape.map(Number) : op.shape(x)
  const kernel = call.ints('kernel_shape') ?? []
  return op.maxUnpool(call.gradient, call.output(1), kernel, {
    strides: call.ints('strides') ?? kernel.map(() => 1),
    outputShape,
  })
}

/**
 * Gradients put at flat indices. Scattering elements along one axis adds them one by one; `ScatterND` loses some with more than
 * one thread.
 */
function scattered(x: Value, indices: Value, dy: Value, overlapping: boolean): Value {
  const zeros = op.constantOfShape(op.reshape(op.size(x), [1]), 0, x.dtype)
  const places = op.reshape(indices, [-1])
  const sum = op.scatterElements(zeros, places, op.reshape(dy, [-1]), {
    axis: 0,
    ...(overlapping && { reduction: 'add' }),
  })
  return reshapeLike(sum, x)
}

function isOverlapping(call: BackwardCall): boolean {
  const kernel = call.ints('kernel_shape') ?? []
  const strides = call.ints('strides') ?? kernel.map(() => 1)
  const dilations = call.ints('dilations') ?? kernel.map(() => 1)
  return kernel.some((size, i) => (size - 1) * dilations[i]! + 1 > strides[i]!)
}

/** Averaging as a map along each axis: the number of elements of a window is a product over the axes. */
function means(call: BackwardCall): readonly LinearMap[] {
  const withPads = call.int('count_include_pad', 0) === 1
  return windowMaps(call, (inside, within) => 1 / (withPads ? within : inside))
}

function windowSums(call: BackwardCall): readonly LinearMap[] {
  return windowMaps(call, () => 1)
}

function windowMaps(
  call: BackwardCall,
  weight: (inside: number, withPads: number) => number,
): readonly LinearMap[] {
  const x = call.input(0)
  const windows = windowsOf(call, call.ints('kernel_shape') ?? [], x)
  const [from, to] = [spatial(call, x), spatial(call, call.output(0))]
  return from.map((size, i) =>
    linearMap(i + 2, { from: size, to: to[i]! }, (output) => {
      const all = elements(windows, i, output)
      const inside = all.filter((at) => at >= 0 && at < size)
      const within = all.filter((at) => at < size + windows.end[i]!)
      return inside.map((at) => [at, weight(inside.length, within.length)] as const)
    }),
  )
}

/** Places along an axis that window `output` covers, in the padding too. */
function elements({ kernel, strides, dilations, begin }: Windows, axis: number, output: number): number[] {
  const first = output * strides[axis]! - begin[axis]!
  return Array.from({ length: kernel[axis]! }, (_, i) => first + i * dilations[axis]!)
}

/** Of `y = (Σ|x|ᵖ)^(1/p)`: `sign(x) |x|ᵖ⁻¹ · spread(dy · y¹⁻ᵖ)`; zero where all of a window is. */
function ofNorm(call: BackwardCall, spread: (dy: Value) => Value): Value {
  const [x, y] = [call.input(0), call.output(0)]
  const p = call.int('p', 2)
  if (p === 1) return op.mul(op.sign(x), spread(call.gradient))
  const isZero = op.equal(y, 0)
  const part = op.div(call.gradient, op.pow(op.where(isZero, 1, y), p - 1))
  const spreadPart = spread(op.where(isZero, 0, part))
  return op.mul(p === 2 ? x : op.mul(op.sign(x), op.pow(op.abs(x), p - 1)), spreadPart)
}

function spaceOf(x: Value): readonly number[] {
  return x.shape.map((_, axis) => axis).slice(2)
}

function isKnown(x: Value): boolean {
  return spaceOf(x).every((axis) => typeof x.shape[axis] === 'number')
}
