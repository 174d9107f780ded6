/** Gradients of resizing, which is a linear map along each axis, and of moving blocks between space and channels. */
import { op, type Value } from '../../graph/index.ts'
import { type LinearMap, linearMap, transposedMaps } from '../linearMaps.ts'
import type { BackwardCall, GradientRule } from '../rule.ts'
import { withFront } from '../windows.ts'

/** Rules by operator. */
export const resizingRules = {
  Resize: (call) => [resized(call)],
  Upsample: (call) => [resized(call)],
  DepthToSpace: (call) => [toDepth(call)],
  SpaceToDepth: (call) => [op.depthToSpace(call.gradient, call.int('blocksize', 1), 'DCR')],
  GridSample: (call) => {
    throw call.unsupported('has no gradient')
  },
} as const satisfies Record<string, GradientRule>

/** `SpaceToDepth` knows the order depth, column, row only; the other is a transposition. */
function toDepth(call: BackwardCall): Value {
  const dy = call.gradient
  const block = call.int('blocksize', 1)
  if ((call.string('mode') ?? 'DCR') === 'DCR') return op.spaceToDepth(dy, block)
  const [, channels, ...space] = call.input(0).shape
  if (typeof channels !== 'number')
    throw call.unsupported('has a gradient for a known number of channels only')
  // Transposed to the order that SpaceToDepth makes: [block, block, channels] to [channels, block, block].
  const perBlock = channels / block ** 2
  const moved = withFront(op.spaceToDepth(dy, block), [-1, block ** 2, perBlock])
  const axes = space.map((_, i) => i + 3)
  return withFront(op.transpose(moved, [0, 2, 1, ...axes]), [-1, channels], 3)
}

/** How one axis is resized. */
interface Sampling {
  readonly from: number
  readonly to: number
  readonly scale: number
}

function resized(call: BackwardCall): Value {
  const [x, y] = [call.input(0), call.output(0)]
  checkSupported(call)
  const scales = scalesOf(call)
  const maps = x.shape.flatMap((from, axis): LinearMap[] => {
    const to = y.shape[axis]
    const scale = scales?.[axis]
    // A size that is known only at run time (the batch) stays as it is.
    if (scale === 1 || (scale === undefined && from === to)) return []
    if (typeof from !== 'number' || typeof to !== 'number') {
      throw call.unsupported(`has a gradient for known sizes only; axis ${axis} is ${from} to ${to}`)
    }
    const sampling = { from, to, scale: scale ?? Math.fround(to / from) }
    return [linearMap(axis, sampling, samplerOf(call, sampling))]
  })
  return transposedMaps(call.gradient, maps)
}

function checkSupported(call: BackwardCall): void {
  const coordinates = call.string('coordinate_transformation_mode')
  if (coordinates === 'tf_crop_and_resize') throw call.unsupported('has no gradient for tf_crop_and_resize')
  if (call.int('antialias', 0) === 1) throw call.unsupported('has no gradient with antialias')
  if ((call.string('keep_aspect_ratio_policy') ?? 'stretch') !== 'stretch') {
    throw call.unsupported('has a gradient for keep_aspect_ratio_policy stretch only')
  }
}

/** Scales by axis, where they and not sizes are given. */
function scalesOf(call: BackwardCall): readonly number[] | undefined {
  const x = call.input(0)
  const isEarly = call.node.op === 'Upsample' || call.builder.opset < 11
  const value = call.inputs[isEarly ? 1 : 2]
  const sizes = isEarly ? undefined : call.inputs[3]
  const given = call.floats('scales') ?? value?.fact.content
  if (sizes) return undefined
  if (!given?.every((scale) => typeof scale === 'number')) {
    throw call.unsupported('has a gradient for constant scales only')
  }
  const axes = call.ints('axes')
  if (!axes) return given as number[]
  const scales = x.shape.map(() => 1)
  for (const [i, axis] of axes.entries()) scales[call.axis(axis, scales.length)] = given[i] as number
  return scales
}

type Row = readonly (readonly [input: number, weight: number])[]

function samplerOf(call: BackwardCall, sampling: Sampling): (output: number) => Row {
  const mode = call.string('mode') ?? 'nearest'
  const place = (output: number) => coordinate(call, output, sampling)
  if (mode === 'nearest') return (output) => [[nearest(call, place(output), sampling), 1]]
  if (mode === 'linear') return (output) => linear(place(output), sampling)
  if (mode === 'cubic') {
    const a = call.float('cubic_coeff_a') ?? -0.75
    const excludes = call.int('exclude_outside', 0) === 1
    return (output) => cubic(place(output), sampling, { a, excludes })
  }
  throw call.unsupported(`has no gradient for mode ${mode}`)
}

/** The place in the input of an output, in the runtime's own precision: at a tie the nearest depends on it. */
function coordinate(call: BackwardCall, output: number, { from, to, scale }: Sampling): number {
  const r = Math.fround
  const isEarly = call.node.op === 'Upsample' || call.builder.opset < 11
  const mode = call.string('coordinate_transformation_mode') ?? (isEarly ? 'asymmetric' : 'half_pixel')
  const half = r(r(r(output + 0.5) / r(scale)) - 0.5)
  switch (mode) {
    case 'half_pixel':
      return half
    case 'pytorch_half_pixel':
      return to > 1 ? half : 0
    case 'asymmetric':
      return r(output / r(scale))
    case 'align_corners':
      return to === 1 ? 0 : r(r(output * (from - 1)) / (to - 1))
    case 'tf_half_pixel_for_nn':
      return r(r(output + 0.5) / r(scale))
    case 'half_pixel_symmetric': {
      const centre = r(from / 2)
      const adjustment = r(to / r(r(scale) * from))
      return r(r(r(centre * r(1 - adjustment)) + r(r(output + 0.5) / r(scale))) - 0.5)
    }
    default:
      throw call.unsupported(`has no gradient for coordinates ${mode}`)
  }
}

function nearest(call: BackwardCall, place: number, { from, scale }: Sampling): number {
  const isEarly = call.node.op === 'Upsample' || call.builder.opset < 11
  // Version 10 of the operator rounds down, or up where it makes smaller.
  const early = scale < 1 ? 'ceil' : 'floor'
  const mode = isEarly ? early : (call.string('nearest_mode') ?? 'round_prefer_floor')
  return Math.min(from - 1, Math.max(0, rounded(call, mode, place)))
}

function rounded(call: BackwardCall, mode: string, place: number): number {
  switch (mode) {
    case 'floor':
      return Math.floor(place)
    case 'ceil':
      return Math.ceil(place)
    case 'round_prefer_floor':
      return Math.ceil(place - 0.5)
    case 'round_prefer_ceil':
      return Math.floor(place + 0.5)
    default:
      throw call.unsupported(`has no gradient for nearest_mode ${mode}`)
  }
}

function linear(place: number, { from }: Sampling): Row {
  const inside = Math.min(from - 1, Math.max(0, place))
  const first = Math.floor(inside)
  const rest = inside - first
  return rest === 0
    ? [[first, 1]]
    : [
        [first, 1 - rest],
        [first + 1, rest],
      ]
}

/** Keys' convolution kernel over four neighbours (https://doi.org/10.1109/TASSP.1981.1163711). */
function cubic(
  place: number,
  { from }: Sampling,
  { a, excludes }: { readonly a: number; readonly excludes: boolean },
): Row {
  const first = Math.floor(place)
  const t = place - first
  const near = (d: number) => ((a + 2) * d - (a + 3)) * d * d + 1
  const far = (d: number) => ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
  const weights = [far(t + 1), near(t), near(1 - t), far(2 - t)]
  const taps = weights.map((weight, i) => [first - 1 + i, weight] as const)
  if (!excludes) return taps.map(([at, weight]) => [Math.min(from - 1, Math.max(0, at)), weight])
  const inside = taps.filter(([at]) => at >= 0 && at < from)
  const sum = inside.reduce((total, [, weight]) => total + weight, 0)
  return inside.map(([at, weight]) => [at, weight / sum])
}
