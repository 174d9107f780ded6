// Reads the preparation of pictures from transformers' `preprocessor_config.json`.
import { PipiloError } from '../../base/index.ts'
import { isObject, type ModelFiles, readJsonObject } from '../files.ts'
import type { ImagePreprocessing } from '../types.ts'

/** PIL's numbers for ways to resize. */
const resampling = new Map<unknown, ImagePreprocessing['interpolation']>([
  [0, 'nearest'],
  [1, 'lanczos'],
  [2, 'bilinear'],
  [3, 'bicubic'],
  [4, 'box'],
  [5, 'hamming'],
])

/** Processors whose pictures' shorter side becomes `size` where that is one number; with others it is a square. */
const byShorterSide =
  /^(Bit|Chameleon|ChineseCLIP|CLIP|ConvNext|LeViT|Levit|Llava|MobileNetV[12]|MobileViT|MobileVit|PoolFormer|VideoMAE)/

type Config = Readonly<Record<string, unknown>>
type Size = readonly [height: number, width: number]

/**
 * The preparation of pictures that transformers' `preprocessor_config.json` (or the `image_processor` of
 * `processor_config.json`) describes, or undefined where there is none.
 *
 * @param sizes.taken what the network takes, where that is known: the configuration must lead to it. Default: what it leads to
 * @param sizes.otherwise size where the configuration leads to none
 * @param folder where the file lies within `files`, `''` or ending in a slash
 * @throws PipiloError `FORMAT_UNSUPPORTED` for what Pipilo does not do, such as a picture's channels in another order
 */
export async function readPreprocessor(
  files: ModelFiles,
  sizes: Sizes = {},
  folder = '',
): Promise<ImagePreprocessing | undefined> {
  const found = await findPreprocessor(files, folder)
  return found && preprocessorOf(files, found, sizes)
}

/** Facts of the pictures that a network takes, beside their preparation. */
export interface Sizes {
  readonly taken?: Size | undefined
  readonly otherwise?: Size | undefined
  /** Channels of the network's input. Default 3. */
  readonly channels?: 1 | 3
}

/** The preparation that a file describes; throws as {@link readPreprocessor}. */
export function preprocessorOf(
  files: Pick<ModelFiles, 'label'>,
  { path, config }: PreprocessorFile,
  sizes: Sizes = {},
): ImagePreprocessing {
  const refuse = (what: string): PipiloError =>
    new PipiloError('FORMAT_UNSUPPORTED', `${path} of ${files.label} ${what}.`, {
      input: files.label,
      hint: 'Say how pictures are prepared with the option card: { image: { … } }.',
    })
  if (config['do_flip_channel_order'] === true) throw refuse('takes blue for red (do_flip_channel_order)')
  const { channels = 3 } = sizes
  const { mean, std } = statisticsOf(config, channels, refuse)
  const interpolation = resampling.get(config['resample'] ?? 2)
  if (!interpolation) throw refuse(`resizes in a way that is not known (resample ${config['resample']})`)
  const geometry = geometryOf(config)
  const seen = sizes.taken ?? geometry.size ?? sizes.otherwise
  if (!seen) throw refuse('does not say to which size pictures are brought')
  return atSize({ ...geometry, interpolation, ...(channels === 1 && { channels }), mean, std }, seen)
}

/**
 * Mean and deviation of pixels in 0…1 that do all that the configuration does to numbers: scaling, an offset, normalising, and the second
 * division by the deviation of EfficientNet's classifiers.
 */
function statisticsOf(
  config: Config,
  channels: 1 | 3,
  refuse: (what: string) => PipiloError,
): Pick<ImagePreprocessing, 'mean' | 'std'> {
  const stated = config['rescale_factor'] ?? 1 / 255
  const factor = config['do_rescale'] === false ? 1 : stated
  if (typeof factor !== 'number' || !(factor > 0 && Number.isFinite(factor))) {
    throw refuse(`scales pixels by ${JSON.stringify(factor)}`)
  }
  const normalizes = config['do_normalize'] !== false
  const kind = kindOf(config)
  // EfficientNet's processor alone has these. transformers' own defaults stand where its file is silent.
  const isEfficientNet =
    kind.startsWith('EfficientNet') ||
    (kind === '' && ('include_top' in config || 'rescale_offset' in config))
  const twice = isEfficientNet && config['include_top'] !== false
  const offset = isEfficientNet && config['rescale_offset'] === true && config['do_rescale'] !== false ? 1 : 0
  const statedMean = perChannel(normalizes ? config['image_mean'] : 0, channels)
  const statedStd = perChannel(normalizes || twice ? config['image_std'] : 1, channels)
  if (!statedMean || !statedStd || statedStd.some((each) => each === 0)) {
    const numbers = channels === 1 ? 'one number' : 'three numbers'
    throw refuse(`normalises without image_mean and image_std of ${numbers}`)
  }
  // (factor × pixel − offset − mean) / deviation, with the pixel in 0…255, as (pixel / 255 − mean′) / deviation′.
  const scale = Math.abs(factor * 255 - 1) > 1e-3 ? factor * 255 : 1
  const power = (normalizes ? 1 : 0) + (twice ? 1 : 0)
  return {
    mean: each(statedMean, (value) => (offset + value) / scale),
    std: each(statedStd, (value) => value ** power / scale),
  }
}

function each(
  numbers: ImagePreprocessing['mean'],
  change: (value: number) => number,
): ImagePreprocessing['mean'] {
  return numbers.map(change) as unknown as ImagePreprocessing['mean']
}

function kindOf(config: Config): string {
  return String(config['image_processor_type'] ?? config['feature_extractor_type'] ?? '')
}

/** The same preparation for a network of another size: it sees the same part of a picture. */
export function atSize(
  image: Omit<ImagePreprocessing, 'size'> & { readonly size?: Size | undefined },
  size: Size,
): ImagePreprocessing {
  if (image.resize === undefined || image.size === undefined) return { ...image, size }
  const [down, across] = [size[0] / image.size[0], size[1] / image.size[1]]
  const resize =
    typeof image.resize === 'number'
      ? Math.round(image.resize * Math.min(down, across))
      : ([Math.round(image.resize[0] * down), Math.round(image.resize[1] * across)] as const)
  return { ...image, size, resize }
}

/**
 * A preparation with the caller's changes. Other sides see the same part of a picture; another crop is not undone by
 * a size to resize to that was found.
 */
export function changedImage(
  found: ImagePreprocessing | undefined,
  given: Partial<ImagePreprocessing>,
): ImagePreprocessing {
  const { resize: _, ...cropped } = found ?? {}
  const crops = (given.crop ?? given.cropRatio) !== undefined && given.resize === undefined
  const sized = found && given.size && !crops ? atSize(found, given.size) : crops ? cropped : found
  // Parts that it lacks are named where pictures are prepared.
  return { ...sized, ...given } as ImagePreprocessing
}

/** A file that describes the preparation of pictures. */
export interface PreprocessorFile {
  readonly path: string
  readonly config: Config
}

/** Finds the file of a folder that describes the preparation of pictures; one of sound is none. */
export async function findPreprocessor(
  files: ModelFiles,
  folder: string,
): Promise<PreprocessorFile | undefined> {
  const path = `${folder}preprocessor_config.json`
  const isOfPictures = (config: Config) => !('sampling_rate' in config)
  if (await files.has(path)) {
    const config = await readJsonObject(files, path)
    return isOfPictures(config) ? { path, config } : undefined
  }
  const newer = `${folder}processor_config.json`
  if (!(await files.has(newer))) return undefined
  const { image_processor: config } = await readJsonObject(files, newer)
  return isObject(config) && isOfPictures(config) ? { path: newer, config } : undefined
}

type Geometry = Pick<ImagePreprocessing, 'crop' | 'resize'> & { readonly size: Size | undefined }

function geometryOf(config: Config): Geometry {
  const kind = kindOf(config)
  const crops = config['do_center_crop'] === true
  // Old files have one number, which each class reads in its own way.
  const isShorter = byShorterSide.test(kind) || (crops && kind === '')
  const shortest = shortestEdge(config['size'], isShorter)
  const square = shortest === undefined ? sizeOf(config['size']) : ([shortest, shortest] as const)
  if (!square) return { size: undefined, crop: crops ? 'center' : 'squash' }
  const kept = config['crop_pct'] ?? (kind.startsWith('ConvNext') ? 224 / 256 : undefined)
  if (typeof kept === 'number' && shortest !== undefined) {
    // ConvNeXt: from 384 pixels on everything is squashed.
    if (shortest >= 384 && !kind.startsWith('PoolFormer')) return { size: square, crop: 'squash' }
    const size = crops ? (sizeOf(config['crop_size']) ?? square) : square
    return { size, crop: 'center', resize: Math.floor(shortest / kept) }
  }
  // A resize of the shorter side alone leaves pictures of all shapes; a network of a fixed size takes their middle.
  if (!crops) return { size: square, crop: shortest === undefined ? 'squash' : 'center' }
  const size = sizeOf(config['crop_size']) ?? square
  return shortest === undefined
    ? { size, crop: 'squash', resize: square }
    : { size, crop: 'center', resize: shortest }
}

/** A number for each channel; of grey pictures the one that is given for all. */
function perChannel(value: unknown, channels: 1 | 3): ImagePreprocessing['mean'] | undefined {
  const given: unknown[] = Array.isArray(value) ? value : [value]
  if (!given.every((entry) => typeof entry === 'number')) return undefined
  const isOne = given.length > 0 && given.every((entry) => entry === given[0])
  const all = isOne ? new Array<number>(channels).fill(given[0]!) : given
  return all.length === channels ? (all as unknown as ImagePreprocessing['mean']) : undefined
}

function shortestEdge(size: unknown, isShorter: boolean): number | undefined {
  const value = isObject(size) ? size['shortest_edge'] : isShorter ? size : undefined
  return typeof value === 'number' && value > 0 ? value : undefined
}

function sizeOf(value: unknown): Size | undefined {
  const sides = isObject(value)
    ? [value['height'], value['width']]
    : Array.isArray(value)
      ? value
      : [value, value]
  const right = sides.length === 2 && sides.every((side) => typeof side === 'number' && side > 0)
  return right ? (sides as [number, number]) : undefined
}
