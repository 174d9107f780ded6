/** Gradients of convolutions. */
import { op, type Value } from '../../graph/index.ts'
import type { GradientRule } from '../rule.ts'
import {
  count,
  floats,
  isSpatialKnown,
  places,
  transposedWindowsOf,
  type Windows,
  windowsOf,
  withFront,
  withSpaceFlat,
} from '../windows.ts'

/** Rules by operator. */
export const convolutionRules = {
  Conv: (call) => {
    const [x, weight, dy] = [call.input(0), call.input(1), call.gradient]
    const kernel = call.sizes(weight).slice(2)
    const group = call.int('group', 1)
    const convolution = { x, weight, windows: windowsOf(call, kernel, x), group }
    const way = wayByWeight(dy, convolution)
    const sharesRows = call.wants(1) && way === 'rows' && partsOf(dy, convolution, way) === 1
    const rows = sharesRows ? shiftedRows(dy, convolution) : undefined
    return [
      call.wants(0) ? byInput(dy, convolution, rows) : undefined,
      call.wants(1) ? byWeight(dy, convolution, way, rows) : undefined,
      call.wants(2) ? byBias(dy) : undefined,
    ]
  },
  // The adjoint of a convolution: the roles of input and output change places.
  ConvTranspose: (call) => {
    const [x, weight, dy] = [call.input(0), call.input(1), call.gradient]
    const kernel = call.sizes(weight).slice(2)
    const group = call.int('group', 1)
    const windows = transposedWindowsOf(call, kernel, x, dy)
    if (call.ints('output_padding')?.some((rest, i) => rest >= windows.strides[i]!)) {
      throw call.unsupported('has a gradient only where output_padding is less than the strides')
    }
    return [
      call.wants(0) ? convolve(dy, weight, windows, group) : undefined,
      call.wants(1) ? byWeight(x, { x: dy, weight, windows, group }) : undefined,
      call.wants(2) ? byBias(dy) : undefined,
    ]
  },
} as const satisfies Record<string, GradientRule>

interface Convolution {
  readonly x: Value
  readonly weight: Value
  readonly windows: Windows
  readonly group: number
}

function byBias(dy: Value): Value {
  return op.reduceSum(
    dy,
    dy.shape.map((_, axis) => axis).filter((axis) => axis !== 1),
  )
}

function convolve(x: Value, weight: Value, windows: Windows, group: number): Value {
  const { strides, dilations, begin, end } = windows
  return op.conv(x, weight, undefined, { strides, dilations, pads: [...begin, ...end], group })
}

/**
 * Convolution with the turned weight, or the transposed convolution, by which makes the smaller patches: measured with
 * 64 channels of 32 × 32, stride 1, the first takes half the time of the second; with 16 channels to 6 three times as much. Instead of the
 * second, which leaves threads idle, a product with the {@link shiftedRows} that the gradient by the weight needs anyway.
 */
function byInput(dy: Value, convolution: Convolution, rows?: Value): Value {
  const { x, weight, windows, group } = convolution
  const { strides, extent, begin, end } = windows
  const canTurn =
    strides.every((stride) => stride === 1) && extent.every((size, i) => begin[i]! < size && end[i]! < size)
  const [outputs, inputs] = [Number(weight.shape[0]), Number(weight.shape[1]) * group]
  const known = isSpatialKnown(x) && isSpatialKnown(dy)
  const [before, after] = known ? [x, dy].map((value) => count(value.shape.slice(2).map(Number))) : [1, 1]
  if (isSmall(convolution)) return collectedAtOnce(dy, convolution)
  if (canTurn && (outputs / group) * before! <= 2 * (inputs / group) * after!) return turned(dy, convolution)
  return rows && canTurn ? collected(rows, convolution) : transposed(dy, convolution)
}

function turned(dy: Value, { weight, windows, group }: Convolution): Value {
  const [outputs = 0, inputs = 0, ...kernel] = weight.shape.map(Number)
  const axes = kernel.map((_, i) => i + 2)
  const exchanged =
    group === 1
      ? op.transpose(weight, [1, 0, ...axes])
      : op.reshape(
          op.transpose(op.reshape(weight, [group, outputs / group, inputs, ...kernel]), [
            0,
            2,
            1,
            ...axes.map((axis) => axis + 1),
          ]),
          [group * inputs, outputs / group, ...kernel],
        )
  return convolve(dy, reversed(exchanged, kernel), turnedOver(windows), group)
}

function reversed(weight: Value, kernel: readonly number[]): Value {
  const axes = kernel.flatMap((size, i) => (size > 1 ? [i + 2] : []))
  if (axes.length === 0) return weight
  return op.slice(
    weight,
    axes.map(() => -1),
    axes.map((axis) => -kernel[axis - 2]! - 1),
    { axes, steps: axes.map(() => -1) },
  )
}

/** The transposed convolution, with zeros where the last window does not reach. */
function transposed(dy: Value, { x, weight, windows, group }: Convolution): Value {
  const { strides, dilations, extent, begin, end } = windows
  const options = { strides, dilations, pads: [...begin, ...end], group }
  if (isSpatialKnown(x) && isSpatialKnown(dy)) {
    const outputPadding = strides.map((stride, i) => {
      const reached = (Number(dy.shape[i + 2]) - 1) * stride + extent[i]! - begin[i]! - end[i]!
      return Number(x.shape[i + 2]) - reached
    })
    return op.convTranspose(
      dy,
      weight,
      undefined,
      outputPadding.some((rest) => rest > 0) ? { ...options, outputPadding } : options,
    )
  }
  if (strides.every((stride) => stride === 1)) return op.convTranspose(dy, weight, undefined, options)
  // The end is cut by the size of `x`: how much of its padding the windows reach depends on that.
  const pads = [...begin, ...end.map(() => 0)]
  const whole = op.convTranspose(dy, weight, undefined, { ...options, pads })
  const axes = end.map((_, i) => i + 2)
  const reached = op.slice(
    whole,
    axes.map(() => 0),
    op.shape(x, 2),
    { axes },
  )
  const rest = op.sub(op.shape(x), op.shape(reached))
  const zeros = x.builder.constant(x.shape.map(() => 0))
  return op.pad(reached, op.concat([zeros, rest], 0))
}

/** Places of a window for which copies of the pictures are made: of larger windows a convolution is cheaper. */
const MANY = 9
/** With stride 1. */
const MANY_DENSE = 25

/**
 * Of the ways measured (bench/grad/rules.ts), by shape: a product with what the windows see at each of their places, or, with stride 1,
 * with what they see in their first row, by gradients that are shifted a row at a time, whichever copies less; for large windows and sizes that
 * are not known the convolution of the pictures with the gradient.
 */
function wayByWeight(
  dy: Value,
  convolution: Convolution,
): 'place' | 'small' | 'rows' | 'patches' | 'exchange' {
  const { x, weight, windows, group } = convolution
  const { kernel, strides, extent, begin, end } = windows
  if (!isSpatialKnown(x) || !isSpatialKnown(dy)) return 'exchange'
  const taps = count(kernel)
  const [outputs, channels] = weight.shape.map(Number) as [number, number]
  if (taps === 1 && (group === 1 || channels >= 8)) return 'place'
  if (isSmall(convolution)) return 'small'
  const rows = kernel[0]!
  const isDense = strides.every((stride) => stride === 1)
  const meets = begin[0]! < extent[0]! && end[0]! < extent[0]!
  const isLess = outputs * rows + channels * group * (taps / rows) <= channels * group * taps
  if (isDense && meets && isLess && channels > 1 && rows <= MANY && taps / rows <= MANY) return 'rows'
  const isFew = isDense ? taps <= MANY_DENSE : taps <= MANY && (group === 1 || channels >= 8)
  return isFew ? 'patches' : 'exchange'
}

function byWeight(
  dy: Value,
  convolution: Convolution,
  way = wayByWeight(dy, convolution),
  rows?: Value,
): Value {
  if (way === 'place') return byPlace(dy, convolution)
  if (way === 'small') return byTable(dy, convolution)
  const parts = partsOf(dy, convolution, way)
  if (parts > 1) return inParts(dy, convolution, parts, way)
  if (way === 'rows') return byRows(rows ?? shiftedRows(dy, convolution), convolution)
  if (way === 'patches') return byPatches(dy, convolution)
  return byExchange(dy, convolution)
}

/** Bytes of copies that are there at once, as far as the size of the batch is known. */
const MOST_BYTES = 2 ** 28

/** Parts of the batch to work through, so that copies of large pictures do not fill the memory. */
function partsOf(dy: Value, { x, weight, windows }: Convolution, way: string): number {
  const [batch] = x.shape
  if ((way !== 'rows' && way !== 'patches') || typeof batch !== 'number') return 1
  const [first = 1, ...rest] = windows.kernel
  const floatsOf = (value: Value) => count(value.shape.slice(1).map(Number))
  const copies =
    way === 'rows'
      ? floatsOf(x) * count(rest) + floatsOf(dy) * first
      : (floatsOf(dy) / Number(weight.shape[0])) * Number(x.shape[1]) * count(windows.kernel)
  return Math.min(batch, Math.ceil((4 * batch * copies) / MOST_BYTES))
}

function inParts(
  dy: Value,
  convolution: Convolution,
  parts: number,
  way: ReturnType<typeof wayByWeight>,
): Value {
  const batch = Number(convolution.x.shape[0])
  const sums = Array.from({ length: parts }, (_, i) => {
    const [from, to] = [i, i + 1].map((part) => Math.round((part * batch) / parts)) as [number, number]
    const part = (value: Value) => op.slice(value, [from], [to], { axes: [0] })
    return byWeight(part(dy), { ...convolution, x: part(convolution.x) }, way)
  })
  return sums.reduce((sum, one) => op.add(sum, one))
}

/** A product of matrices for the one place of the window. */
function byPlace(dy: Value, { x, weight, windows, group }: Convolution): Value {
  const { strides, begin, end } = windows
  const axes = strides.map((_, i) => i + 2)
  const padded = [...begin, ...end].some((pad) => pad !== 0) ? op.pad(x, [0, 0, ...begin, 0, 0, ...end]) : x
  const ends = strides.map((stride, i) => (Number(dy.shape[i + 2]) - 1) * stride + 1)
  const isWhole = strides.every((stride, i) => stride === 1 && ends[i] === Number(padded.shape[i + 2]))
  const steps = strides.some((stride) => stride > 1) ? { steps: strides } : {}
  const starts = axes.map(() => 0)
  const seen = isWhole ? padded : op.slice(padded, starts, ends, { axes, ...steps })
  return op.reshape(product(dy, seen, group), weight.shape.map(Number))
}

/** Pixels up to which a table of all of them is less work than windows that move over them. */
const FEW_PIXELS = 64

/** True for pictures of few pixels against many channels: there convolutions and copies take most of their time to begin. */
function isSmall({ x, weight, windows, group }: Convolution): boolean {
  if (group > 1 || !isSpatialKnown(x) || count(windows.kernel) === 1) return false
  const pixels = count(x.shape.slice(2).map(Number))
  return pixels <= FEW_PIXELS && 4 * pixels <= Number(weight.shape[0])
}

/** Ones where a window sees a pixel: [places of the window × pixels of dy, pixels of x]. */
function sight(dy: Value, { x, windows }: Convolution): Value {
  const { kernel, strides, dilations, begin } = windows
  const [from, to] = [x, dy].map((value) => value.shape.slice(2).map(Number)) as [number[], number[]]
  const [rows, pixels] = [count(kernel) * count(to), count(from)]
  const table = new Float32Array(rows * pixels)
  for (const [k, place] of places(kernel).entries()) {
    for (const [o, at] of places(to).entries()) {
      const seen = at.map((one, i) => one * strides[i]! + place[i]! * dilations[i]! - begin[i]!)
      if (seen.some((one, i) => one < 0 || one >= from[i]!)) continue
      const pixel = seen.reduce((before, one, i) => before * from[i]! + one, 0)
      table[(k * count(to) + o) * pixels + pixel] = 1
    }
  }
  return floats(x, [rows, pixels], table)
}

/** The batch as the last axis: [channels, space, batch]. */
function batchLast(x: Value): Value {
  return op.transpose(withSpaceFlat(x, [-1, Number(x.shape[1])]), [1, 2, 0])
}

/** One product over the batch with what the windows see, which is a product of a table with the pixels. */
function byTable(dy: Value, convolution: Convolution): Value {
  const { x, weight } = convolution
  const shape = weight.shape.map(Number)
  const seen = op.reshape(op.matMul(sight(dy, convolution), batchLast(x)), [count(shape.slice(1)), -1])
  const rows = op.reshape(batchLast(dy), [shape[0]!, -1])
  return op.reshape(op.matMul(rows, op.transpose(seen, [1, 0])), shape)
}

/** The gradient by the input as one product with the weight over the batch, summed by the table of {@link byTable}. */
function collectedAtOnce(dy: Value, convolution: Convolution): Value {
  const { x, weight, windows } = convolution
  const [outputs = 0, channels = 0] = weight.shape.map(Number)
  const taps = count(windows.kernel)
  const space = count(dy.shape.slice(2).map(Number))
  const rows = op.reshape(batchLast(dy), [outputs, -1])
  const columns = op.transpose(op.reshape(weight, [outputs, channels * taps]), [1, 0])
  const each = op.reshape(op.matMul(columns, rows), [channels, taps * space, -1])
  const sums = op.transpose(op.matMul(op.transpose(sight(dy, convolution), [1, 0]), each), [2, 0, 1])
  return op.reshape(sums, [-1, channels, ...x.shape.slice(2).map(Number)])
}

/** One product with all that the windows see. */
function byPatches(dy: Value, { x, weight, windows, group }: Convolution): Value {
  return op.reshape(product(dy, seen(x, windows), group), weight.shape.map(Number))
}

/** One product of the gradient as each row of a window meets it with what the windows see in one row. */
function byRows(rows: Value, { x, weight, windows, group }: Convolution): Value {
  const { kernel } = windows
  const [outputs = 0, channels = 0] = weight.shape.map(Number)
  const sums = op.reshape(product(rows, seen(x, behindRows(windows)), group), [
    outputs,
    kernel[0]!,
    channels,
    -1,
  ])
  return op.reshape(op.transpose(sums, [0, 2, 1, 3]), [outputs, channels, ...kernel])
}

/** The gradient once for each row of a window, as it meets the picture there: [batch, outputs × rows, height of x, width of dy]. */
function shiftedRows(dy: Value, { windows }: Convolution): Value {
  return seen(dy, turnedOver(onAxes(windows, (axis) => axis === 0)), true)
}

/** The gradient by the input of its rows: a product with the weight, whose columns are then put in their places and summed. */
function collected(rows: Value, { x, weight, windows, group }: Convolution): Value {
  const meeting = turnedOver(behindRows(windows))
  const { kernel } = meeting
  const [outputs, channels] = [Number(weight.shape[0]) / group, Number(weight.shape[1])]
  const [first = 1, taps] = [windows.kernel[0], count(kernel)]
  const parts = op.transpose(op.reshape(weight, [group, outputs, channels, first, taps]), [0, 2, 4, 1, 3])
  const each = op.matMul(
    op.reshape(parts, [group, channels * taps, outputs * first]),
    grouped(rows, group, true),
  )
  const spread = op.reshape(each, [-1, group * channels * taps, ...rows.shape.slice(2).map(Number)])
  if (taps === 1) return spread
  const shape = [group * channels, taps, ...kernel]
  const ones = floats(x, shape, onesAtPlaces(group * channels, taps, true))
  return convolve(spread, ones, meeting, group * channels)
}

/** Windows along some axes, with stride 1. */
function onAxes(windows: Windows, has: (axis: number) => boolean): Windows {
  const only = (sizes: readonly number[], rest: number) =>
    sizes.map((size, axis) => (has(axis) ? size : rest))
  const { kernel, strides, dilations, begin, end, extent } = windows
  return {
    kernel: only(kernel, 1),
    strides: only(strides, 1),
    dilations: only(dilations, 1),
    begin: only(begin, 0),
    end: only(end, 0),
    extent: only(extent, 1),
  }
}

const behindRows = (windows: Windows): Windows => onAxes(windows, (axis) => axis > 0)

/** The windows by which a gradient meets the pictures: padded by what the others are not. */
function turnedOver(windows: Windows): Windows {
  const rest = (pads: readonly number[]) => pads.map((pad, axis) => windows.extent[axis]! - 1 - pad)
  return { ...windows, begin: rest(windows.begin), end: rest(windows.end) }
}

/**
 * Each channel once for each place of the window, from the first, or else the last: what is seen there. A convolution with a one
 * at that place copies faster than slices do, and on all threads.
 */
function seen(x: Value, windows: Windows, fromLast = false): Value {
  const { kernel, strides, begin, end } = windows
  const [channels, taps] = [Number(x.shape[1]), count(kernel)]
  if (taps === 1 && strides.every((stride) => stride === 1) && [...begin, ...end].every((pad) => pad === 0))
    return x
  const ones = floats(x, [channels * taps, 1, ...kernel], onesAtPlaces(channels, taps, fromLast))
  return convolve(x, ones, windows, channels)
}

/** For each channel and each place of a window a window with a one at that place, the first or else the last place first. */
function onesAtPlaces(channels: number, taps: number, fromLast: boolean): Float32Array {
  return Float32Array.from({ length: channels * taps * taps }, (_, i) => {
    const [turn, place] = [Math.floor(i / taps) % taps, i % taps]
    return place === (fromLast ? taps - 1 - turn : turn) ? 1 : 0
  })
}

/** Channels in groups, space in one axis: [batch, channels, space], or [batch, group, channels, space]. */
function grouped(x: Value, group: number, always = false): Value {
  const channels = Number(x.shape[1])
  return withSpaceFlat(x, group === 1 && !always ? [-1, channels] : [-1, group, channels / group])
}

/**
 * `Σ dy · xᵀ` over the batch and space, in groups: [outputs, columns]. A product for each input and their sum, or, where that sum would be of
 * larger matrices than the inputs are, one product with batch and space in one axis, for which both are copied.
 */
function product(dy: Value, x: Value, group: number): Value {
  const [outputs, columns] = [dy, x].map((value) => Number(value.shape[1]) / group) as [number, number]
  const space = count(dy.shape.slice(2).map(Number))
  const [rows, others] = [grouped(dy, group), grouped(x, group)]
  if (outputs * columns > space * (outputs + columns)) {
    const merged = (value: Value, channels: number) =>
      group === 1
        ? op.reshape(op.transpose(value, [1, 0, 2]), [channels, -1])
        : op.reshape(op.transpose(value, [1, 2, 0, 3]), [group, channels, -1])
    const right = op.transpose(merged(others, columns), group === 1 ? [1, 0] : [0, 2, 1])
    const whole = op.matMul(merged(rows, outputs), right)
    return group === 1 ? whole : op.reshape(whole, [group * outputs, columns])
  }
  const order = group === 1 ? [0, 2, 1] : [0, 1, 3, 2]
  const sum = op.reduceSum(op.matMul(rows, op.transpose(others, order)), [0])
  return group === 1 ? sum : op.reshape(sum, [group * outputs, columns])
}

/** A convolution with batch and channels exchanged: the gradient is the kernel, strides and dilations change places. */
function byExchange(dy: Value, { x, weight, windows, group }: Convolution): Value {
  const { kernel, strides, dilations, begin, end } = windows
  const axes = kernel.map((_, i) => i + 2)
  const channels = Number(weight.shape[1])
  const exchanged = [1, 0, ...axes]
  const turned = op.transpose(x, exchanged)
  const pictures = group === 1 ? turned : exchangeGroups(turned, group, channels)
  const sums = op.conv(pictures, op.transpose(dy, exchanged), undefined, {
    strides: dilations,
    dilations: strides,
    pads: [...begin, ...end],
    group,
  })
  const fitting = op.slice(
    sums,
    axes.map(() => 0),
    [...kernel],
    { axes },
  )
  return op.transpose(fitting, exchanged)
}

/** [group × channels, batch, …] as [channels, group × batch, …]. */
function exchangeGroups(x: Value, group: number, channels: number): Value {
  if (channels === 1) return withFront(x, [1, -1])
  const parted = op.reshape(x, op.concat([x.builder.constant([group, channels]), op.shape(x, 1)], 0))
  const axes = x.shape.slice(1).map((_, i) => i + 2)
  return withFront(op.transpose(parted, [1, 0, ...axes]), [channels, -1], 3)
}
