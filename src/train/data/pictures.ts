// Decodes the pictures of batches to tensors, and keeps the bytes of small data sets.

import { checkCount, checkOptions, is, type OptionTable, PipiloError } from '../../base/index.ts'
import { type Dataset, decodeImage, type Input, type RawImage } from '../../embed/index.ts'
import { checkImagePreprocessing, type ImagePreprocessing } from '../../models/index.ts'
import type { Tensor } from '../../tensor/index.ts'

const picturesTypes: OptionTable<PictureOptions> = {
  crop: is.any,
  cropRatio: is.any,
  resize: is.any,
  interpolation: is.any,
  background: is.any,
  size: is.either(is.count(1), is.listOf(is.count(1), 2, 2)),
  channels: is.oneOf([1, 3]),
  cache: is.count(0),
}

/** How pictures become tensors. */
export interface PictureOptions
  extends Partial<
    Pick<ImagePreprocessing, 'crop' | 'cropRatio' | 'resize' | 'interpolation' | 'background'>
  > {
  /** Height and width, or one number for both. Default: that of the pictures, which then have to be equal. */
  readonly size?: number | readonly [height: number, width: number]
  /** 1 grey, 3 RGB. Default 3. */
  readonly channels?: 1 | 3
  /** Bytes of decoded pictures that are kept in memory. Default 268,435,456 (256 MB); 0 for none. */
  readonly cache?: number
}

/** Decodes pictures of data sets; one may serve several, and many epochs. */
export interface PictureDecoder {
  /**
   * The bytes of a picture in the size that is wanted.
   * @param dataset names its rows; of one that can be read again (with a `length`), pictures are kept
   * @param index of its row
   */
  decode(
    dataset: Pick<Dataset, 'nameOf'> & { readonly length?: number },
    index: number,
    image: Input,
    signal?: AbortSignal,
  ): Promise<DecodedPicture>
}

/** Bytes of a decoded picture: row-major, interleaved. */
export interface DecodedPicture {
  readonly height: number
  readonly width: number
  readonly channels: 1 | 3
  readonly data: Uint8Array
}

/**
 * Makes a decoder of pictures, whose cache lasts as long as it does.
 *
 * @example
 * ```ts
 * const pictures = pictureDecoder({ size: 224, crop: 'center' })
 * for (const epoch of [0, 1, 2]) for await (const { pixels } of batches(dataset, { batch: 32, epoch, pictures })) …
 * ```
 *
 * @remarks
 * Pictures are decoded and resized as for an embedder (`decodeImage`): `crop` is `squash` and `interpolation` `bilinear` unless said otherwise.
 * Grey is Pillow's `L`: 0.299 red + 0.587 green + 0.114 blue.
 *
 * @throws PipiloError `OPTION_INVALID`
 */
export function pictureDecoder(options: PictureOptions = {}): PictureDecoder {
  checkOptions('pictureDecoder', options, picturesTypes)
  const { channels = 3, cache = 256 * 2 ** 20 } = options
  if (channels !== 1 && channels !== 3) {
    throw new PipiloError(
      'OPTION_INVALID',
      `channels is ${String(channels)}; it has to be 1 (grey) or 3 (RGB).`,
      {
        input: 'channels',
      },
    )
  }
  checkCount('cache', cache, 0)
  const preparation = preparationOf(options)
  const kept = new WeakMap<object, Map<number, DecodedPicture>>()
  let room = cache
  let first: { readonly name: string; readonly height: number; readonly width: number } | undefined
  const checkSize = (name: string, { height, width }: DecodedPicture) => {
    first ??= { name, height, width }
    if (first.height === height && first.width === width) return
    throw new PipiloError(
      'INPUT_INVALID',
      `${name} is ${height} × ${width}, and ${first.name} is ${first.height} × ${first.width}.`,
      { input: name, hint: 'A batch has pictures of one size: give one, as in size: 224.' },
    )
  }
  return {
    decode: async (dataset, index, image, signal) => {
      const found = kept.get(dataset)?.get(index)
      if (found) return found
      const name = dataset.nameOf(index)
      const raw =
        rawOf(image, preparation) ??
        (await decodeImage(image, preparation, { label: name, ...(signal && { signal }) }))
      const decoded = inChannels(raw, channels)
      checkSize(name, decoded)
      // Pixels that the data set itself holds in memory need no second place.
      const isNew = decoded.data !== raw.data || !isRaw(image)
      if (isNew && dataset.length !== undefined && decoded.data.length <= room) {
        room -= decoded.data.length
        const own = kept.get(dataset) ?? new Map<number, DecodedPicture>()
        kept.set(dataset, own.set(index, decoded))
      }
      return decoded
    },
  }
}

function preparationOf({
  size,
  channels: _,
  cache: __,
  ...rest
}: PictureOptions): ImagePreprocessing | undefined {
  if (size === undefined) {
    const [odd] = Object.keys(rest)
    if (odd === undefined) return undefined
    throw new PipiloError('OPTION_INVALID', `${odd} needs a size that pictures are made to fit.`, {
      input: odd,
    })
  }
  const image: ImagePreprocessing = {
    crop: 'squash',
    interpolation: 'bilinear',
    ...rest,
    size: typeof size === 'number' ? [size, size] : size,
    mean: [0, 0, 0],
    std: [1, 1, 1],
  }
  checkImagePreprocessing(image)
  return image
}

const isRaw = (image: Input): image is RawImage =>
  typeof image === 'object' && 'width' in image && 'data' in image

/** Pixels that are there already, in the size that is wanted. */
function rawOf(image: Input, preparation: ImagePreprocessing | undefined): RawImage | undefined {
  if (!isRaw(image) || (image.channels !== 1 && image.channels !== 3)) return undefined
  if (image.data.length !== image.width * image.height * image.channels) return undefined
  if (!preparation) return image
  const { size, cropRatio = 1, resize } = preparation
  const fits = image.height === size[0] && image.width === size[1] && cropRatio === 1 && resize === undefined
  return fits ? image : undefined
}

function inChannels({ width, height, channels, data }: RawImage, wanted: 1 | 3): DecodedPicture {
  if (channels === wanted) return { height, width, channels: wanted, data }
  const count = width * height
  const out = new Uint8Array(count * wanted)
  for (let i = 0; i < count; i++) {
    if (wanted === 3) out.fill(data[i]!, 3 * i, 3 * i + 3)
    else out[i] = grey(data[3 * i]!, data[3 * i + 1]!, data[3 * i + 2]!)
  }
  return { height, width, channels: wanted, data: out }
}

/** Pillow's `L`, in its integers of 16 bits after the point. */
const grey = (red: number, green: number, blue: number): number =>
  (red * 19_595 + green * 38_470 + blue * 7_471 + 0x8000) >> 16

/** A byte as a share of 255, in the float32 that PyTorch's division gives. */
const shares = Float32Array.from({ length: 256 }, (_, byte) => byte / 255)

/**
 * Pictures of one size as a tensor, float32 [N, C, H, W], from 0 to 1: torchvision's `ToTensor`.
 *
 * @example
 * ```ts
 * pictureTensor([await decoder.decode(dataset, 0, image)])     // { dtype: 'float32', shape: [1, 3, 224, 224], data }
 * ```
 */
export function pictureTensor(pictures: readonly DecodedPicture[]): Tensor {
  const { height = 0, width = 0, channels = 3 } = pictures[0] ?? {}
  const plane = height * width
  const data = new Float32Array(pictures.length * channels * plane)
  let at = 0
  for (const { data: bytes } of pictures) {
    for (let c = 0; c < channels; c++) {
      for (let i = c; i < bytes.length; i += channels) data[at++] = shares[bytes[i]!]!
    }
  }
  return { dtype: 'float32', shape: [pictures.length, channels, height, width], data }
}
