/** Convolutions, pooling and resizing: operators over [batch, channels, ...spatial]. */
import type { DType } from '../../../tensor/index.ts'
import type { Dimension, Shape } from '../../types.ts'
import { add, divideCeil, divideFloor, multiply, subtract } from '../dimension.ts'
import { type Call, type Rule, tensor } from '../rule.ts'

interface Window {
  readonly kernel: readonly Dimension[]
  readonly strides: readonly number[]
  readonly dilations: readonly number[]
  readonly pads: readonly number[]
  readonly autoPad: string
}

function window(call: Call, kernel: readonly Dimension[]): Window {
  const rank = kernel.length
  const list = (name: string, count: number, value: number): readonly number[] => {
    const given = call.ints(name) ?? []
    if (given.length && given.length !== count) throw call.error(`${name} must be ${count} numbers`)
    return given.length ? given : Array<number>(count).fill(value)
  }
  return {
    kernel,
    strides: list('strides', rank, 1),
    dilations: list('dilations', rank, 1),
    pads: list('pads', 2 * rank, 0),
    autoPad: call.string('auto_pad') ?? 'NOTSET',
  }
}

/** The size that a sliding window leaves of `spatial`. */
function slide(call: Call, spatial: Shape, w: Window): Shape {
  const ceil = call.int('ceil_mode', 0) !== 0
  return spatial.map((size, i) => {
    const stride = w.strides[i]!
    if (w.autoPad.startsWith('SAME')) return divideCeil(size, stride)
    const extent = add(multiply(subtract(w.kernel[i]!, 1), w.dilations[i]!), 1)
    const begin = w.pads[i]!
    const padding = w.autoPad === 'VALID' ? 0 : begin + w.pads[i + w.kernel.length]!
    const span = subtract(add(size, padding), extent)
    if (typeof span === 'number' && span < 0) {
      throw call.error(`a window of ${extent} does not fit axis ${i + 2} of ${size} padded by ${padding}`)
    }
    const steps = add((ceil ? divideCeil : divideFloor)(span, stride), 1)
    // The last window must begin inside the input or its left padding.
    const late =
      ceil && typeof steps === 'number' && typeof size === 'number' && (steps - 1) * stride >= size + begin
    return late ? steps - 1 : steps
  })
}

function split(call: Call, minimum = 3): Shape | undefined {
  const shape = call.shape(0)
  if (shape && shape.length < minimum) throw call.error(`it needs at least ${minimum} axes`)
  return shape
}

function convolve(call: Call, weight: number): Shape | undefined {
  const input = split(call)
  const kernel = call.shape(weight)
  if (!input || !kernel) return undefined
  if (kernel.length !== input.length) throw call.error('ranks of input and weight differ')
  call.same(input[1], multiply(kernel[1]!, call.int('group', 1)), 'channels')
  const bias = weight === 1 ? call.shape(2) : undefined
  if (bias) call.same(bias[0], kernel[0], 'size of the bias')
  return [input[0]!, kernel[0]!, ...slide(call, input.slice(2), window(call, kernel.slice(2)))]
}

const conv: Rule = (call) => [tensor(call.sameDtype(0, 1, 2), convolve(call, 1))]

const convTranspose: Rule = (call) => {
  const dtype = call.sameDtype(0, 1, 2)
  const input = split(call)
  const weight = call.shape(1)
  if (!input || !weight) return [tensor(dtype)]
  call.same(input[1], weight[0], 'channels')
  const w = window(call, weight.slice(2))
  const extra = call.ints('output_padding')
  const given = call.ints('output_shape')
  const spatial = input.slice(2).map((size, i) => {
    if (given) return given[given.length - w.kernel.length + i]!
    const stride = w.strides[i]!
    if (w.autoPad.startsWith('SAME')) return multiply(size, stride)
    const extent = add(multiply(subtract(w.kernel[i]!, 1), w.dilations[i]!), 1 + (extra?.[i] ?? 0))
    const padding = w.autoPad === 'VALID' ? 0 : w.pads[i]! + w.pads[i + w.kernel.length]!
    return subtract(add(multiply(subtract(size, 1), stride), extent), padding)
  })
  return [tensor(dtype, [input[0]!, multiply(weight[1]!, call.int('group', 1)), ...spatial])]
}

const pool: Rule = (call) => {
  const dtype = call.dtype(0)
  const input = split(call)
  if (!input) return [tensor(dtype), tensor('int64')]
  const kernel = call.ints('kernel_shape') ?? []
  if (kernel.length !== input.length - 2) throw call.error(`kernel_shape is [${kernel.join(', ')}]`)
  const shape = [...input.slice(0, 2), ...slide(call, input.slice(2), window(call, kernel))]
  return [tensor(dtype, shape), tensor('int64', shape)]
}

const globalPool: Rule = (call) => {
  const input = split(call)
  return [
    tensor(
      call.dtype(0),
      input?.map((dimension, axis) => (axis < 2 ? dimension : 1)),
    ),
  ]
}

const maxUnpool: Rule = (call) => {
  const input = split(call)
  if (!input) return [tensor(call.dtype(0))]
  const given = call.content(2)
  const w = window(call, call.ints('kernel_shape') ?? [])
  const spatial = input.slice(2).map((size, i) => {
    const padding = w.pads[i]! + w.pads[i + w.kernel.length]!
    return subtract(add(multiply(subtract(size, 1), w.strides[i]!), w.kernel[i]!), padding)
  })
  return [
    tensor(
      call.dtype(0),
      given ?? (call.has(2) ? call.freshShape(0, input.length) : [...input.slice(0, 2), ...spatial]),
    ),
  ]
}

const resize: Rule = (call) => {
  const dtype = call.dtype(0)
  const input = call.shape(0)
  if (!input) return [tensor(dtype)]
  // Before version 11 (and in Upsample) the scales are the second input.
  const early = call.opset < 11 || call.node.op === 'Upsample'
  const sizes = early ? undefined : call.content(3)
  const scales = call.floats('scales') ?? call.numbers(early ? 1 : 2)
  const axes = call.ints('axes')?.map((axis) => call.axis(axis, input.length)) ?? [...input.keys()]
  const policy = call.string('keep_aspect_ratio_policy') ?? 'stretch'
  const result = [...input]
  if (policy !== 'stretch' || (!sizes?.length && !scales?.length)) {
    for (const axis of axes) result[axis] = call.fresh(0, axis)
    return [tensor(dtype, result)]
  }
  axes.forEach((axis, i) => {
    const size = sizes?.length ? sizes[i]! : scaled(input[axis]!, scales![i]!)
    result[axis] = size === '' ? call.fresh(0, axis) : size
  })
  return [tensor(dtype, result)]
}

function scaled(size: Dimension, scale: number): Dimension {
  if (typeof size === 'number') return Math.floor(size * scale)
  if (Number.isInteger(scale)) return multiply(size, scale)
  return Number.isInteger(1 / scale) ? divideFloor(size, 1 / scale) : ''
}

const roiAlign: Rule = (call) => [
  tensor(call.dtype(0), [
    call.shape(1)?.[0] ?? call.fresh(0, 0),
    call.shape(0)?.[1] ?? call.fresh(0, 1),
    call.int('output_height', 1),
    call.int('output_width', 1),
  ]),
]

const gridSample: Rule = (call) => {
  const [input, grid] = [call.shape(0), call.shape(1)]
  return [tensor(call.dtype(0), input && grid && [...input.slice(0, 2), ...grid.slice(1, -1)])]
}

const affineGrid: Rule = (call) => {
  const size = call.content(1) ?? call.freshShape(0, Number(call.shape(1)?.[0] ?? 0))
  if (size.length < 4) return [tensor(call.dtype(0))]
  return [tensor(call.dtype(0), [size[0]!, ...size.slice(2), size.length - 2])]
}

/** DeformConv: its offsets have the size of its output. */
const deformConv: Rule = (call) => {
  const [input, weight, offset] = [call.shape(0), call.shape(1), call.shape(2)]
  return [tensor(call.dtype(0), input && weight && offset && [input[0]!, weight[0]!, ...offset.slice(2)])]
}

const integer =
  (weight: number, dtype: (call: Call) => DType | undefined): Rule =>
  (call) => [tensor(dtype(call), convolve(call, weight))]

export const convolution = {
  Conv: conv,
  ConvTranspose: convTranspose,
  ConvInteger: integer(1, () => 'int32'),
  QLinearConv: integer(3, (call) => call.dtype(7)),
  AveragePool: pool,
  MaxPool: pool,
  LpPool: pool,
  GlobalAveragePool: globalPool,
  GlobalMaxPool: globalPool,
  GlobalLpPool: globalPool,
  MaxUnpool: maxUnpool,
  Resize: resize,
  Upsample: resize,
  MaxRoiPool: (call) => [
    tensor(call.dtype(0), [
      call.shape(1)?.[0] ?? call.fresh(0, 0),
      call.shape(0)?.[1] ?? call.fresh(0, 1),
      ...(call.ints('pooled_shape') ?? []),
    ]),
  ],
  RoiAlign: roiAlign,
  GridSample: gridSample,
  AffineGrid: affineGrid,
  DeformConv: deformConv,
} satisfies Readonly<Record<string, Rule>>
