/** Preprocessing of pictures inside the graph. */
import { type Builder, type Dimension, op, type Value } from '../../graph/index.ts'
import { type DType, tensor } from '../../tensor/index.ts'

/** The part of a model's card that {@link imagePreprocessing} reads. */
export interface PixelStatistics {
  /** 1: the bytes become grey, by Pillow's `L`. Default 3. */
  readonly channels?: 1 | 3
  /** Order of the three channels that come out. Default `rgb`. */
  readonly order?: 'rgb' | 'bgr'
  /** Per channel (in that order, or one of grey), after pixels are scaled to 0…1. */
  readonly mean: readonly number[]
  readonly std: readonly number[]
  /** Default: any. */
  readonly size?: readonly [height: Dimension, width: Dimension]
}

/**
 * From bytes to a model's input: adds the input `pixels`, uint8 [batch, height, width, 3], and returns `pixel_values`,
 * [batch, channels, height, width]: floats scaled to 0…1, minus `mean`, over `std`; of integers the bytes as they are.
 *
 * @example
 * ```ts
 * const b = new Builder()
 * b.output('pixel_values', imagePreprocessing(b, card.image))
 * ```
 *
 * @param dtype of what is returned. Default `float32`
 */
export function imagePreprocessing(
  builder: Builder,
  statistics: PixelStatistics,
  dtype: DType = 'float32',
): Value {
  const { channels = 3, order = 'rgb', mean, std, size = ['height', 'width'] } = statistics
  return builder.scope('preprocessing', () => {
    const pixels = builder.input('pixels', 'uint8', ['batch', ...size, 3])
    const perChannel = (values: readonly number[]) =>
      builder.constant(tensor('float32', [channels, 1, 1], values))
    // Bytes are a quarter of the floats: move them before they are cast.
    const bytes = op.transpose(pixels, [0, 3, 1, 2])
    const ordered =
      order === 'bgr' ? op.gather(bytes, builder.constant(tensor('int64', [3], [2, 1, 0])), 1) : bytes
    const channelsFirst = channels === 1 ? grey(bytes) : ordered
    const as = (value: Value, type: DType) => (value.dtype === type ? value : op.cast(value, type))
    if (!/float/.test(dtype)) return as(channelsFirst, dtype)
    const scales = perChannel(std.map((deviation) => 1 / (255 * deviation)))
    const scaled = op.mul(as(channelsFirst, 'float32'), scales)
    return as(op.sub(scaled, perChannel(mean.map((value, channel) => value / std[channel]!))), dtype)
  })
}

/** Pillow's `L` of [batch, 3, height, width], in its integers of 16 bits after the point: int32 [batch, 1, height, width]. */
function grey(bytes: Value): Value {
  const { builder } = bytes
  const shares = builder.constant(tensor('int32', [3, 1, 1], [19_595, 38_470, 7_471]))
  const sum = op.reduceSum(op.mul(op.cast(bytes, 'int32'), shares), [1], { keepDims: true })
  const half = builder.constant(tensor('int32', [], [0x8000]))
  return op.div(op.add(sum, half), builder.constant(tensor('int32', [], [0x10000])))
}
