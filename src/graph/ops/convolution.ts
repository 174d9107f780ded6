/** Convolutions, pooling and resizing over [batch, channels, ...spatial]. */

import type { Value } from '../builder.ts'
import type { Attribute } from '../types.ts'
import { apply, applyMany, type Integers, int, integers, ints, isValue, string } from './apply.ts'

/** Placement of a window. Pads are [begin of each axis…, end of each axis…]. */
export interface WindowOptions {
  /** Default 1 each. */
  readonly strides?: readonly number[]
  /** Default 0 each. */
  readonly pads?: readonly number[]
  /** Default 1 each. */
  readonly dilations?: readonly number[]
  /** Pads that keep `⌈size / stride⌉`, or none; not together with `pads`. */
  readonly autoPad?: 'SAME_UPPER' | 'SAME_LOWER' | 'VALID'
}

export interface ConvOptions extends WindowOptions {
  /** Groups of channels. Default 1. */
  readonly group?: number
}

export interface PoolOptions extends WindowOptions {
  readonly ceilMode?: boolean
}

function windowAttributes(options: WindowOptions): Record<string, Attribute | undefined> {
  return {
    strides: ints(options.strides),
    pads: ints(options.pads),
    dilations: ints(options.dilations),
    auto_pad: string(options.autoPad),
  }
}

/** Convolution: weight [out, in / group, ...kernel], bias [out]. */
export function conv(x: Value, weight: Value, bias?: Value, options: ConvOptions = {}): Value {
  const kernel = weight.shape.slice(2)
  return apply('Conv', [x, weight, bias], {
    ...windowAttributes(options),
    kernel_shape: kernel.every((size) => typeof size === 'number') ? ints(kernel as number[]) : undefined,
    group: int(options.group),
  })
}

/** Transposed convolution: weight [in, out / group, ...kernel], bias [out]. */
export function convTranspose(
  x: Value,
  weight: Value,
  bias?: Value,
  options: ConvOptions & {
    readonly outputPadding?: readonly number[]
    readonly outputShape?: readonly number[]
  } = {},
): Value {
  return apply('ConvTranspose', [x, weight, bias], {
    ...windowAttributes(options),
    group: int(options.group),
    output_padding: ints(options.outputPadding),
    output_shape: ints(options.outputShape),
  })
}

/** Largest of each window. */
export function maxPool(x: Value, kernel: readonly number[], options: PoolOptions = {}): Value {
  return maxPoolMany(x, kernel, options, 1)[0]!
}

/** Largest of each window, and its place in the flattened `x` (int64). */
export function maxPoolWithIndices(
  x: Value,
  kernel: readonly number[],
  options: PoolOptions = {},
): [values: Value, indices: Value] {
  return maxPoolMany(x, kernel, options, 2) as [Value, Value]
}

function maxPoolMany(x: Value, kernel: readonly number[], options: PoolOptions, outputs: number): Value[] {
  const attributes = {
    ...windowAttributes(options),
    kernel_shape: ints(kernel),
    ceil_mode: int(options.ceilMode),
  }
  return applyMany('MaxPool', [x], attributes, outputs)
}

/** Mean of each window; padding is counted only with `countIncludePad`. Dilations need operator set 19. */
export function averagePool(
  x: Value,
  kernel: readonly number[],
  options: PoolOptions & { readonly countIncludePad?: boolean } = {},
): Value {
  return apply('AveragePool', [x], {
    ...windowAttributes(options),
    kernel_shape: ints(kernel),
    ceil_mode: int(options.ceilMode),
    count_include_pad: int(options.countIncludePad),
  })
}

/** Mean over all of space, its axes kept with size 1. */
export function globalAveragePool(x: Value): Value {
  return apply('GlobalAveragePool', [x])
}

/** Maximum over all of space, its axes kept with size 1. */
export function globalMaxPool(x: Value): Value {
  return apply('GlobalMaxPool', [x])
}

/** Undoes {@link maxPoolWithIndices}: values go back to their places, zeros elsewhere. */
export function maxUnpool(
  x: Value,
  indices: Value,
  kernel: readonly number[],
  options: WindowOptions & { readonly outputShape?: Integers } = {},
): Value {
  const shape = options.outputShape && integers(options.outputShape, x.builder)
  return apply('MaxUnpool', [x, indices, shape], {
    kernel_shape: ints(kernel),
    strides: ints(options.strides),
    pads: ints(options.pads),
  })
}

/** How {@link resize} finds values between pixels. */
export interface ResizeOptions {
  /** Default `linear`. */
  readonly mode?: 'nearest' | 'linear' | 'cubic'
  /** Default `half_pixel` (PyTorch's `align_corners=False`). */
  readonly coordinates?: 'half_pixel' | 'pytorch_half_pixel' | 'align_corners' | 'asymmetric'
  /** For `nearest`. Default `floor`, as PyTorch. */
  readonly nearest?: 'floor' | 'round_prefer_floor' | 'round_prefer_ceil' | 'ceil'
  /** For `cubic`. Default -0.75, as PyTorch. */
  readonly cubicCoefficient?: number
}

/** Resizes to `sizes`, or by `scales`, one number an axis (batch and channels too). Operator set 11. */
export function resize(
  x: Value,
  target: { readonly sizes: Integers } | { readonly scales: readonly number[] | Value },
  options: ResizeOptions = {},
): Value {
  const b = x.builder
  const { mode = 'linear', coordinates = 'half_pixel', nearest = 'floor', cubicCoefficient = -0.75 } = options
  // Versions 11 and 12 ask for the region of interest (and for empty scales) even where they are unused.
  const empty = b.opset < 13 ? b.constant([], 'float32') : undefined
  const inputs =
    'sizes' in target
      ? [x, empty, empty, integers(target.sizes, b)]
      : [x, empty, isValue(target.scales) ? target.scales : b.constant(target.scales, 'float32')]
  return apply('Resize', inputs, {
    mode: string(mode),
    coordinate_transformation_mode: string(coordinates),
    nearest_mode: mode === 'nearest' ? string(nearest) : undefined,
    cubic_coeff_a: mode === 'cubic' ? { type: 'float', value: cubicCoefficient } : undefined,
  })
}
