/** Windows of convolutions and pooling: where they lie, and what differentiation does with them. */
import { op, type Value } from '../graph/index.ts'
import { type DType, tensor } from '../tensor/index.ts'
import type { BackwardCall } from './rule.ts'

/** Windows over the spatial axes, one number an axis. */
export interface Windows {
  readonly kernel: readonly number[]
  readonly strides: readonly number[]
  readonly dilations: readonly number[]
  /** Padding before and after; `auto_pad` is resolved. */
  readonly begin: readonly number[]
  readonly end: readonly number[]
  /** Elements from a window's first to its last. */
  readonly extent: readonly number[]
}

/** The windows of a convolution or a pooling over `x` [batch, channels, ...spatial]. */
export function windowsOf(call: BackwardCall, kernel: readonly number[], x: Value): Windows {
  const { strides, dilations, extent } = steps(call, kernel)
  const mode = call.string('auto_pad') ?? 'NOTSET'
  const pads = call.ints('pads') ?? kernel.flatMap(() => [0, 0])
  if (mode.startsWith('SAME') && dilations.some((dilation) => dilation > 1)) {
    // ONNX Runtime has no such convolutions, and pools as if the windows were not dilated.
    throw call.unsupported('has no gradient for dilations together with auto_pad')
  }
  const sides = kernel.map((_, axis): readonly [number, number] => {
    if (mode === 'NOTSET') return [pads[axis]!, pads[axis + kernel.length]!]
    if (mode === 'VALID') return [0, 0]
    const size = strides[axis] === 1 ? 1 : spatial(call, x)[axis]!
    const count = Math.ceil(size / strides[axis]!)
    const total = Math.max(0, (count - 1) * strides[axis]! + extent[axis]! - size)
    return halves(total, mode === 'SAME_UPPER')
  })
  return placed({ kernel, strides, dilations, extent }, sides)
}

/** The windows of a transposed convolution: those of the convolution whose gradient by its input it is. */
export function transposedWindowsOf(
  call: BackwardCall,
  kernel: readonly number[],
  x: Value,
  y: Value,
): Windows {
  const shape = steps(call, kernel)
  const mode = call.string('auto_pad') ?? 'NOTSET'
  const pads = call.ints('pads') ?? kernel.flatMap(() => [0, 0])
  const isGiven = call.ints('output_shape') !== undefined
  const extra = call.ints('output_padding')
  const sides = kernel.map((_, axis): readonly [number, number] => {
    if (!isGiven && mode === 'NOTSET') return [pads[axis]!, pads[axis + kernel.length]!]
    if (!isGiven && mode === 'VALID') return [0, 0]
    const [from, to] = [spatial(call, x)[axis]!, spatial(call, y)[axis]!]
    const whole = (from - 1) * shape.strides[axis]! + shape.extent[axis]! + (extra?.[axis] ?? 0)
    if (whole < to)
      throw call.unsupported('has no gradient where its output is larger than its windows reach')
    return halves(whole - to, mode === 'SAME_UPPER')
  })
  return placed(shape, sides)
}

function steps(call: BackwardCall, kernel: readonly number[]) {
  const ones = kernel.map(() => 1)
  const strides = call.ints('strides') ?? ones
  const dilations = call.ints('dilations') ?? ones
  return { kernel, strides, dilations, extent: kernel.map((size, i) => (size - 1) * dilations[i]! + 1) }
}

function placed(
  shape: Omit<Windows, 'begin' | 'end'>,
  sides: readonly (readonly [number, number])[],
): Windows {
  return { ...shape, begin: sides.map(([begin]) => begin), end: sides.map(([, end]) => end) }
}

function halves(total: number, isUpper: boolean): readonly [number, number] {
  const less = Math.floor(total / 2)
  return isUpper ? [less, total - less] : [total - less, less]
}

/** Sizes of the axes behind batch and channels, which must be known. */
export function spatial(call: BackwardCall, x: Value): readonly number[] {
  const sizes = x.shape.slice(2)
  if (sizes.every((size) => typeof size === 'number')) return sizes as number[]
  throw call.unsupported(
    `has a gradient for known sizes of pictures only; ${x.name} is [${x.shape.join(', ')}]`,
  )
}

/** True if the sizes behind batch and channels are known. */
export function isSpatialKnown(x: Value): boolean {
  return x.shape.slice(2).every((size) => typeof size === 'number')
}

/** `x` with other axes in front of those from `from` on; one of `front` may be -1. */
export function withFront(x: Value, front: readonly number[], from = 2): Value {
  const space = x.shape.slice(from)
  if (space.every((size) => typeof size === 'number')) return op.reshape(x, [...front, ...space.map(Number)])
  return op.reshape(x, op.concat([x.builder.constant(front), op.shape(x, from)], 0))
}

/** `x` with its spatial axes in one: [...front, space]; one of `front` may be -1. */
export function withSpaceFlat(x: Value, front: readonly number[]): Value {
  return op.reshape(x, [...front, count(x.shape.slice(2).map(Number))])
}

/** Places inside a window, the last axis fastest. */
export function places(kernel: readonly number[]): readonly (readonly number[])[] {
  return kernel.reduce<readonly (readonly number[])[]>(
    (before, size) => before.flatMap((place) => Array.from({ length: size }, (_, i) => [...place, i])),
    [[]],
  )
}

/** Product of sizes. */
export function count(sizes: readonly number[]): number {
  return sizes.reduce((product, size) => product * size, 1)
}

/** A constant tensor of floats of the dtype of `like`. */
export function floats(like: Value, shape: readonly number[], numbers: Iterable<number>): Value {
  const wide = like.dtype === 'float64'
  const dtype: DType = wide ? 'float64' : 'float32'
  const data = wide ? Float64Array.from(numbers) : Float32Array.from(numbers)
  return op.cast(like.builder.constant(tensor(dtype, shape, data)), like.dtype)
}
