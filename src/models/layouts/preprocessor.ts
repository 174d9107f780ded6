// Reads the preparation of pictures from transformers' `preprocessor_config.json`.
import { PipiloError } from '../../base/index.ts'
import { isObject, type ModelFiles, readJsonObject } from '../files.ts'
import type { ImagePreprocessing } from '../types.ts'
import { imageNet } from './timm.ts'
import { transformersProcessors } from './transformersProcessors.ts'

/** PIL's numbers for ways to resize. */
const resampling = new Map<unknown, ImagePreprocessing['interpolation']>([
  [0, 'nearest'],
  [1, 'lanczos'],
  [2, 'bilinear'],
  [3, 'bicubic'],
  [4, 'box'],
  [5, 'hamming'],
])

type Config = Readonly<Record<string, unknown>>
type Size = readonly [height: number, width: number]

/**
 * The preparation of pictures that transformers' `preprocessor_config.json` (or the `image_processor` of
 * `processor_config.json`) describes, or undefined where there is none.
 *
 * @param sizes.taken what the network takes, where that is known: the configuration must lead to it. Default: what it leads to
 * @param sizes.otherwise size where the configuration leads to none
 * @param folder where the file lies within `files`, `''` or ending in a slash
 * @throws PipiloError `FORMAT_UNSUPPORTED` for what Pipilo does not do, such as pictures that keep their shape, and for processors that are not known
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
  { path, config: stated, type }: PreprocessorFile,
  sizes: Sizes = {},
): ImagePreprocessing {
  const refuse = (what: string): PipiloError =>
    new PipiloError('FORMAT_UNSUPPORTED', `${path} of ${files.label} ${what}.`, {
      input: files.label,
      hint: 'Say how pictures are prepared with the option card: { image: { size, crop, interpolation, mean, std } }.',
    })
  const kind = kindOf(stated, type)
  const settings = kind === '' ? {} : settingsOf(kind)
  if (!settings) {
    throw refuse(`is of the kind ${kind}ImageProcessor, whose way to prepare pictures is not known here`)
  }
  // As transformers: a step that is null is left out, and any other setting that is null has not been said.
  const said = Object.fromEntries(
    Object.entries(stated).flatMap(([name, value]) =>
      value !== null ? [[name, value]] : /^do_/.test(name) ? [[name, false]] : [],
    ),
  )
  if (stated['resample'] === null) throw refuse('resizes in a way that is not known (resample null)')
  const config: Config = { ...settings, ...said }
  refuseOthers(kind, config, refuse)
  const { channels = 3 } = sizes
  const { mean, std } = statisticsOf(kind, config, channels, refuse)
  const interpolation = resampling.get(config['resample'] ?? 2)
  if (!interpolation) throw refuse(`resizes in a way that is not known (resample ${config['resample']})`)
  const geometry = geometryOf(kind, config, refuse)
  const seen = sizes.taken ?? geometry.size ?? sizes.otherwise
  if (!seen) throw refuse('does not say to which size pictures are brought')
  const order = config['do_flip_channel_order'] === true && channels === 3 ? { order: 'bgr' as const } : {}
  return atSize(
    { ...geometry, interpolation, ...(channels === 1 && { channels }), ...order, mean, std },
    seen,
  )
}

/** True of a preparation that needs nothing of the files. */
export function isComplete(image: Partial<ImagePreprocessing> | undefined): image is ImagePreprocessing {
  const { size, crop, interpolation, mean, std } = image ?? {}
  return !!size && !!crop && !!interpolation && !!mean && !!std
}

/** Steps that are followed, or that change labels alone. */
const steps =
  /^do_(?:resize|center_crop|rescale|normalize|convert_rgb|reduce_labels|convert_annotations|pad|flip_channel_order)$/

/** Settings of steps that are not followed, wherever they stand. */
const otherSettings = [
  'pad_size',
  'size_divisor',
  'size_divisibility',
  'offset',
  'do_grayscale',
  'use_square_size',
]

/** Refuses the steps of a processor that change pictures in another way than here. */
function refuseOthers(kind: string, config: Config, refuse: (what: string) => PipiloError): void {
  if (config['do_resize'] === false)
    throw refuse('leaves pictures at the size that they have (do_resize: false)')
  if (config['do_flip_channel_order'] === true && kind !== 'MobileViT')
    throw refuse('takes blue for red (do_flip_channel_order)')
  // A known processor passes over what is not its own; of an unknown one everything counts.
  const others = Object.keys(config).filter(
    (name) => (kind === '' && /^do_/.test(name) && !steps.test(name)) || otherSettings.includes(name),
  )
  const other = others.find((name) => config[name] !== false)
  if (other !== undefined)
    throw refuse(`sets ${other} to ${JSON.stringify(config[other])}, which is not done here`)
  if (kind === 'DPT') {
    const multiple = Number(config['ensure_multiple_of'] ?? 1)
    const sides = sizeOf(config['size'])
    if (config['keep_aspect_ratio'] === true) throw refuse('keeps the shape of pictures (keep_aspect_ratio)')
    if (!sides?.every((side) => side % multiple === 0))
      throw refuse(`brings sides to multiples of ${multiple} (ensure_multiple_of)`)
  }
}

/**
 * Mean and deviation of pixels in 0…1 that do all that the configuration does to numbers: scaling, an offset, normalising, and the second
 * division by the deviation of EfficientNet's classifiers.
 */
function statisticsOf(
  kind: string,
  config: Config,
  channels: 1 | 3,
  refuse: (what: string) => PipiloError,
): Pick<ImagePreprocessing, 'mean' | 'std'> {
  const stated = config['rescale_factor'] ?? 1 / 255
  const factor = config['do_rescale'] === false ? 1 : stated
  if (typeof factor !== 'number' || !(factor > 0 && Number.isFinite(factor))) {
    throw refuse(`scales pixels by ${JSON.stringify(factor)}`)
  }
  // MobileViT's never does, whatever its file says.
  const normalizes = config['do_normalize'] !== false && kind !== 'MobileViT'
  // EfficientNet's processor alone has these. transformers' own defaults stand where its file is silent.
  const isEfficientNet =
    kind === 'EfficientNet' || (kind === '' && ('include_top' in config || 'rescale_offset' in config))
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

/** The name of a processor, without what all names end in: as the file says it, else as transformers has it for the network; `''` where neither does. */
function kindOf(config: Config, type: string | undefined): string {
  const { image_processor_type: own, feature_extractor_type: former } = config
  const named = [own, former].find((name) => typeof name === 'string') as string | undefined
  const name = (named ?? '').replace(/FeatureExtractor$/, 'ImageProcessor')
  if (name !== '') return name.replace(/ImageProcessor(?:Fast|Pil)?$/, '')
  return (
    transformersProcessors.find(([, types]) => type !== undefined && types.split(' ').includes(type))?.[0] ??
    ''
  )
}

const pixelStatistics: Readonly<Record<string, Config>> = {
  imagenet: { image_mean: imageNet.mean, image_std: imageNet.std },
  half: { image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] },
  clip: {
    image_mean: [0.48145466, 0.4578275, 0.40821073],
    image_std: [0.26862954, 0.26130258, 0.27577711],
  },
}

/** Settings that stand where the file of a processor is silent; undefined for processors that are not followed. */
function settingsOf(kind: string): Config | undefined {
  const [, , words = ''] = transformersProcessors.find(([name]) => name === kind) ?? []
  if (words === '') return undefined
  const [size = '', crop = '', resample, statistics = '', meaning] = words.split(' ')
  const bare = (word: string) => word.replace(/[()]/g, '')
  return {
    size: sidesIn(size),
    isShorter: meaning === 'shorter',
    resample: Number(resample),
    ...(crop !== '-' && { crop_size: sidesIn(bare(crop)), do_center_crop: !crop.startsWith('(') }),
    ...pixelStatistics[bare(statistics)],
    do_normalize: !statistics.startsWith('(') && statistics !== '-',
    ...(kind === 'MobileViT' && { do_flip_channel_order: true }),
    ...(kind === 'ConvNext' && { crop_pct: 224 / 256 }),
    ...(kind === 'PoolFormer' && { crop_pct: 0.9 }),
  }
}

function sidesIn(words: string): Config {
  const [, shortest, longest] = words.split('<').map(Number)
  if (shortest !== undefined)
    return { shortest_edge: shortest, ...(longest !== undefined && { longest_edge: longest }) }
  const [height, width] = words.split('x').map(Number)
  return { height, width }
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
  /** The network's `model_type`, which says the processor where the file does not. */
  readonly type?: string | undefined
}

/**
 * Finds the file of a folder that describes the preparation of pictures, as transformers does: `processor_config.json` counts where it has an `image_processor`
 * in it. One of sound is none, nor is timm's, whose `config.json` says it; one of videos is found where it is alone, so that it is not passed over.
 */
export async function findPreprocessor(
  files: ModelFiles,
  folder: string,
): Promise<PreprocessorFile | undefined> {
  const read = async (name: string): Promise<Config | undefined> =>
    (await files.has(folder + name)) ? readJsonObject(files, folder + name) : undefined
  const nested = 'processor_config.json'
  const own = 'preprocessor_config.json'
  const { image_processor: inside } = (await read(nested)) ?? {}
  const found: readonly [string, unknown] = isObject(inside) ? [nested, inside] : [own, await read(own)]
  let [path, config] = found
  if (config === undefined) {
    const video = 'video_preprocessor_config.json'
    ;[path, config] = [video, await read(video)]
    const { video_processor_type: kind } = isObject(config) ? config : {}
    if (isObject(config)) config = { ...config, image_processor_type: kind ?? 'VideoProcessor' }
  }
  if (!isObject(config) || 'sampling_rate' in config) return undefined
  if (config['image_processor_type'] === 'TimmWrapperImageProcessor') return undefined
  const { model_type: type } = kindOf(config, undefined) === '' ? ((await read('config.json')) ?? {}) : {}
  return { path: folder + path, config, type: typeof type === 'string' ? type : undefined }
}

type Geometry = Pick<ImagePreprocessing, 'crop' | 'resize'> & { readonly size: Size | undefined }

function geometryOf(kind: string, config: Config, refuse: (what: string) => PipiloError): Geometry {
  const crops = config['do_center_crop'] === true
  const stated = config['size']
  // Old files have one number, which each class reads in its own way.
  const isShorter = kind === '' ? crops : config['isShorter'] === true
  const shortest = shortestEdge(stated, isShorter)
  const square = shortest === undefined ? sizeOf(stated) : ([shortest, shortest] as const)
  const sides = isObject(stated) ? Object.keys(stated).filter((side) => stated[side] !== null) : []
  if (stated === undefined) return { size: undefined, crop: crops ? 'center' : 'squash' }
  if (!square || (sides.length > 0 && `${sides.sort()}` !== 'height,width' && `${sides}` !== 'shortest_edge'))
    throw refuse(`resizes pictures to ${JSON.stringify(stated)}, which is not done here`)
  const crop = crops ? (sizeOf(config['crop_size']) ?? square) : undefined
  const cropped = { crop: 'center' as const, size: crop ?? square }
  const { crop_pct: kept } = config
  if (kind === 'PoolFormer' && typeof kept === 'number') {
    const scaled = square.map((side) => Math.floor(side / kept)) as unknown as Size
    if (scaled[0] === scaled[1] && crop) return { ...cropped, resize: scaled[0] }
    if (shortest === undefined && scaled[0] !== scaled[1])
      return { ...cropped, crop: 'squash', resize: scaled }
  } else if (kind === 'ConvNext' || (kind === '' && shortest !== undefined && typeof kept === 'number')) {
    if (shortest === undefined) throw refuse('says no shorter side (size: { shortest_edge })')
    // ConvNeXt: from 384 pixels on everything is squashed.
    if (shortest >= 384) return { size: crop ?? square, crop: 'squash', ...(crop && { resize: square }) }
    if (crop && `${crop}` !== `${square}`) throw refuse('crops twice (crop_pct and do_center_crop)')
    return { ...cropped, resize: Math.floor(shortest / Number(kept)) }
  } else if (shortest === undefined) {
    return crop ? { size: crop, crop: 'squash', resize: square } : { size: square, crop: 'squash' }
  } else if (crop) {
    return { ...cropped, resize: kind === 'Levit' ? Math.floor((256 / 224) * shortest) : shortest }
  }
  throw refuse('resizes the shorter side alone, so that pictures keep their shape')
}

/** A number for each channel; of grey pictures the one that is given for all. */
function perChannel(value: unknown, channels: 1 | 3): ImagePreprocessing['mean'] | undefined {
  const given: unknown[] = Array.isArray(value) ? value : [value]
  if (!given.every((entry) => typeof entry === 'number')) return undefined
  const isOne = given.length > 0 && given.every((entry) => entry === given[0])
  const all = isOne && [1, 3].includes(given.length) ? new Array<number>(channels).fill(given[0]!) : given
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
