/** Preprocessing of pictures inside the graph. */
import { type Builder, type Dimension, op, type Value } from '../../graph/index.ts'
import { tensor } from '../../tensor/index.ts'

/** The part of a model's card that {@link imagePreprocessing} reads. */
export interface PixelStatistics {
  /** Per channel (RGB), after pixels are scaled to 0…1. */
  readonly mean: readonly [number, number, number]
  readonly std: readonly [number, number, number]
  /** Default: any. */
  readonly size?: readonly [height: Dimension, width: Dimension]
}

/**
 * From bytes to a model's input: adds the input `pixels`, uint8 [batch, height, width, 3], and returns `pixel_values`, float32
 * [batch, 3, height, width], scaled to 0…1, minus `mean`, over `std`.
 *
 * @example
 * ```ts
 * const b = new Builder()
 * b.output('pixel_values', imagePreprocessing(b, card.image))
 * ```
 */
export function imagePreprocessing(builder: Builder, statistics: PixelStatistics): Value {
  const { mean, std, size = ['height', 'width'] } = statistics
  return builder.scope('preprocessing', () => {
    const pixels = builder.input('pixels', 'uint8', ['batch', ...size, 3])
    const perChannel = (values: readonly number[]) => builder.constant(tensor('float32', [3, 1, 1], values))
    // Bytes are a quarter of the floats: move them before they are cast.
    const channelsFirst = op.cast(op.transpose(pixels, [0, 3, 1, 2]), 'float32')
    const scaled = op.mul(channelsFirst, perChannel(std.map((deviation) => 1 / (255 * deviation))))
    return op.sub(scaled, perChannel(mean.map((value, channel) => value / std[channel]!)))
  })
}
