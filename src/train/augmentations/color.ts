/** Augmentations of colours: brightness, contrast, saturation, hue, grey, solarisation and normalisation. */
import { PipiloError } from '../../base/index.ts'
import { op, type Value } from '../../graph/index.ts'
import { tensor } from '../../tensor/index.ts'
import { perPicture, pixelShape, row, upTo } from './pixels.ts'

/** Weights of red, green and blue in grey, as torchvision has them. */
const GREY = [0.2989, 0.587, 0.114]

/** `x · factor`, cut to 0…1: torchvision's `adjust_brightness`. @param factors float32 [batch], from 0 */
export function adjustBrightness(x: Value, factors: Value): Value {
  return op.clip(op.mul(x, perPicture(factors, 4)), 0, 1)
}

/**
 * Between the mean grey of each picture (0) and the picture (1) or beyond, cut to 0…1: torchvision's `adjust_contrast`.
 *
 * @param factors float32 [batch], from 0
 */
export function adjustContrast(x: Value, factors: Value): Value {
  const factor = perPicture(factors, 4)
  return op.clip(op.add(op.mul(x, factor), op.mul(meanGrey(x), op.sub(1, factor))), 0, 1)
}

/**
 * Between grey (0) and the picture (1) or beyond, cut to 0…1: torchvision's `adjust_saturation`. Pictures of one channel stay
 * as they are.
 *
 * @param factors float32 [batch], from 0
 */
export function adjustSaturation(x: Value, factors: Value): Value {
  if (pixelShape(x).channels === 1) return x
  const factor = perPicture(factors, 3)
  return op.clip(mix(x, op.add(op.mul(identity(x), factor), op.mul(toGrey(x), op.sub(1, factor)))), 0, 1)
}

/**
 * Turns the circle of colours: torchvision's `adjust_hue`. Pictures of one channel stay as they are.
 *
 * @remarks
 * With v the largest and u the smallest of red, green and blue, a channel is `v - (v - u) · min(1, max(0, 2 - 6 d))`,
 * where d is how far the pixel's hue lies from the channel's opposite colour, in turns: what conversion to HSV and back does, in
 * half of its steps. Equal to torchvision within 1e-5.
 *
 * @param factors float32 [batch]: parts of a turn, from -0.5 to 0.5
 */
export function adjustHue(x: Value, factors: Value): Value {
  if (pixelShape(x).channels === 1) return x
  const [red, green, blue] = op.split(x, 3, 1) as [Value, Value, Value]
  const largest = op.max(op.max(red, green), blue)
  const range = op.sub(largest, op.min(op.min(red, green), blue))
  const [isRed, isGreen] = [op.equal(red, largest), op.equal(green, largest)]
  const pick = (a: Value | number, b: Value, c: Value | number) => op.where(isRed, a, op.where(isGreen, b, c))
  const apart = pick(op.sub(green, blue), op.sub(blue, red), op.sub(red, green))
  const start = pick(0, x.builder.constant(2 / 6, 'float32'), 4 / 6)
  // Of a grey pixel the range is 0, which makes its hue count for nothing.
  const hue = op.add(op.div(apart, op.max(op.mul(range, 6), 1e-20)), start)
  const opposite = row(x, [3 / 6, 1 / 6, -1 / 6], [1, 3, 1, 1])
  const turned = op.add(hue, op.add(perPicture(factors, 4), opposite))
  const distance = op.abs(op.sub(turned, op.round(turned)))
  return op.sub(largest, op.mul(range, op.hardSigmoid(distance, -6, 2)))
}

/** Operations of {@link colorJitter}, by their place in a row of factors and their number in an order: torchvision's. */
export const JITTER_OPERATIONS = ['brightness', 'contrast', 'saturation', 'hue'] as const

/**
 * Brightness, contrast, saturation and hue one after another: torchvision's `ColorJitter` with given factors.
 *
 * @example
 * ```ts
 * colorJitter(pixels, factors, [0, 1, 2, 3])   // brightness first and hue last, for all
 * colorJitter(pixels, factors, orders)         // each picture in an order of its own
 * ```
 *
 * @remarks
 * Pictures whose factors are [1, 1, 1, 0] stay as they are, and cost nothing when orders are a value.
 *
 * @param factors float32 [batch, 4]: brightness, contrast, saturation (1 changes nothing), hue (0 changes nothing)
 * @param orders the order of the four, by their places in {@link JITTER_OPERATIONS}; or int64 [batch, 4], one a picture
 */
export function colorJitter(x: Value, factors: Value, orders: Value | readonly number[]): Value {
  if (isOrder(orders)) return inOneOrder(x, factors, orders)
  if (pixelShape(x).channels === 1) return mixes(x, factors, orders, upTo(4))
  return byPlaceOfHue(x, factors, orders)
}

const isOrder = (orders: Value | readonly number[]): orders is readonly number[] => Array.isArray(orders)

function inOneOrder(x: Value, factors: Value, order: readonly number[]): Value {
  if (order.length !== 4 || upTo(4).some((operation) => !order.includes(operation))) {
    throw new PipiloError('OPTION_INVALID', `[${order.join(', ')}] is no order of 0, 1, 2 and 3.`, {
      input: 'orders',
    })
  }
  const adjust = [adjustBrightness, adjustContrast, adjustSaturation, adjustHue]
  return order.reduce((y, operation) => adjust[operation]!(y, op.gather(factors, operation, 1)), x)
}

/**
 * All but hue are one operation with other numbers, so pictures are parted by the place of hue alone: each picture takes three such
 * steps and one of hue, whatever its order.
 */
function byPlaceOfHue(x: Value, factors: Value, orders: Value): Value {
  const b = x.builder
  const isHue = op.cast(op.equal(orders, 3), 'int64')
  const place = op.argMax(isHue, 1)
  const neutral = row(x, [1, 1, 1, 0], [1, 4])
  const changed = op.not(op.lessOrEqual(op.reduceMax(op.abs(op.sub(factors, neutral)), [1]), 0))
  const rowsWhere = (condition: Value) => op.reshape(op.nonZero(condition), [-1])
  const rows = upTo(4).map((at) => rowsWhere(op.and(changed, op.equal(place, at))))
  const groups = rows.map((of, at) => {
    const [picked, numbers, order] = [x, factors, orders].map((value) => op.gather(value, of)) as [
      Value,
      Value,
      Value,
    ]
    const before = mixes(picked, numbers, order, upTo(at))
    const turned = adjustHue(before, op.gather(numbers, 3, 1))
    return mixes(turned, numbers, order, [0, 1, 2, 3].slice(at + 1))
  })
  const rest = rowsWhere(op.not(changed))
  const all = op.concat([...rows, rest], 0)
  const count = op.shape(x, 0, 1)
  const back = op.scatterElements(
    op.constantOfShape(count, 0, 'int64'),
    all,
    op.range(b.constant(0), op.squeeze(count, [0])),
  )
  const joined = op.concat([...groups, op.gather(x, rest)], 0)
  return op.reshape(op.gather(joined, back), [-1, ...(x.shape.slice(1) as number[])])
}

/** The operations at the given places of each picture's order, none of which is hue (on one channel, hue changes nothing). */
function mixes(x: Value, factors: Value, orders: Value, places: readonly number[]): Value {
  return places.reduce((y, place) => mixOnce(y, factors, op.gather(orders, place, 1)), x)
}

/**
 * Brightness, contrast or saturation, as each picture's number says: `factor · x` plus what is left of 1 times black, the mean
 * grey, or the pixel's own grey.
 */
function mixOnce(x: Value, factors: Value, operation: Value): Value {
  const chosen = op.gatherElements(factors, op.unsqueeze(operation, [1]), 1)
  const when = (number: number) => op.cast(op.equal(operation, number), 'float32')
  const { channels } = pixelShape(x)
  const brightness = when(0)
  const contrast = when(1)
  // Numbers of the operations that one channel knows nothing of leave it as it is.
  const factor =
    channels === 3
      ? perPicture(chosen, 3)
      : op.where(perPicture(op.greater(operation, 1), 3), 1, perPicture(chosen, 3))
  const left = op.sub(1, factor)
  const shift = op.mul(op.mul(perPicture(contrast, 4), op.unsqueeze(left, [3])), meanGrey(x))
  if (channels === 1) return op.clip(op.add(op.mul(x, op.unsqueeze(factor, [3])), shift), 0, 1)
  const saturation = op.sub(op.sub(1, brightness), contrast)
  const grey = op.mul(toGrey(x), op.mul(perPicture(saturation, 3), left))
  return op.clip(op.add(mix(x, op.add(op.mul(identity(x), factor), grey)), shift), 0, 1)
}

/**
 * Pictures whose flag is set in grey, with as many channels as before: torchvision's `rgb_to_grayscale`. Pictures of one channel
 * stay as they are.
 *
 * @param flags bool [batch]
 */
export function grayscale(x: Value, flags: Value): Value {
  if (pixelShape(x).channels === 1) return x
  return mix(x, op.where(perPicture(flags, 3), toGrey(x), identity(x)))
}

/**
 * `1 - x` for the pixels from `threshold` on, in the pictures whose flag is set: torchvision's `solarize`.
 *
 * @param flags bool [batch]
 * @param threshold from 0 to 1
 */
export function solarize(x: Value, flags: Value, threshold = 0.5): Value {
  const from = op.where(perPicture(flags, 4), row(x, [threshold], [1]), Number.POSITIVE_INFINITY)
  return op.where(op.greaterOrEqual(x, from), op.sub(1, x), x)
}

/** `(x - mean) / std` for each channel: torchvision's `normalize`. */
export function normalize(x: Value, mean: readonly number[], std: readonly number[]): Value {
  const channel = (values: readonly number[]) => row(x, values, [1, values.length, 1, 1])
  return op.div(op.sub(x, channel(mean)), channel(std))
}

/** Channels of each picture times a matrix [batch or 1, channels, channels]. */
function mix(x: Value, matrix: Value): Value {
  const { channels, height, width } = pixelShape(x)
  const flat = op.matMul(matrix, op.reshape(x, [0, channels, height * width]))
  return op.reshape(flat, [0, channels, height, width])
}

/** Mean grey of each picture, [batch, 1, 1, 1]. */
function meanGrey(x: Value): Value {
  const { channels } = pixelShape(x)
  const means = op.reduceMean(x, [2, 3], { keepDims: true })
  if (channels === 1) return means
  return op.reduceSum(op.mul(means, row(x, GREY, [1, 3, 1, 1])), [1], { keepDims: true })
}

const identity = (x: Value): Value =>
  x.builder.constant(tensor('float32', [1, 3, 3], [1, 0, 0, 0, 1, 0, 0, 0, 1]))
const toGrey = (x: Value): Value =>
  x.builder.constant(tensor('float32', [1, 3, 3], [...GREY, ...GREY, ...GREY]))
