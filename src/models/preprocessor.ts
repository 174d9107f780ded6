import { PipiloError } from '../tensor/index.ts'
import { isObject, readJsonObject } from './files.ts'
import type { ModelFiles } from './sources.ts'
import type { ImagePreprocessing } from './types.ts'

/** PIL's numbers for ways to resize. */
const resampling = new Map<unknown, ImagePreprocessing['interpolation']>([
  [0, 'nearest'],
  [1, 'lanczos'],
  [2, 'bilinear'],
  [3, 'bicubic'],
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
 * @throws PipiloError `FORMAT_UNSUPPORTED` for what Pipilo does not do, such as another factor than 1/255
 */
export async function readPreprocessor(
  files: ModelFiles,
  sizes: { readonly taken?: Size; readonly otherwise?: Size | undefined } = {},
  folder = '',
): Promise<ImagePreprocessing | undefined> {
  const found = await findConfig(files, folder)
  if (!found) return undefined
  const { path, config } = found
  const refuse = (what: string): PipiloError =>
    new PipiloError('FORMAT_UNSUPPORTED', `${path} of ${files.label} ${what}.`, {
      input: files.label,
      hint: 'Say how pictures are prepared with the option card: { image: { … } }.',
    })
  const factor = config['rescale_factor']
  if (config['do_rescale'] === false || (typeof factor === 'number' && Math.abs(factor * 255 - 1) > 1e-3)) {
    throw refuse('does not scale pixels to 0…1')
  }
  const normalizes = config['do_normalize'] !== false
  const mean = normalizes ? triple(config['image_mean']) : ([0, 0, 0] as const)
  const std = normalizes ? triple(config['image_std']) : ([1, 1, 1] as const)
  if (!mean || !std) throw refuse('normalises without image_mean and image_std of three numbers')
  const interpolation = resampling.get(config['resample'] ?? 2)
  if (!interpolation) throw refuse(`resizes in a way that is not known (resample ${config['resample']})`)
  const geometry = geometryOf(config)
  const seen = sizes.taken ?? geometry.size ?? sizes.otherwise
  if (!seen) throw refuse('does not say to which size pictures are brought')
  const { crop, cropRatio } = geometry
  return {
    size: seen,
    crop,
    ...(cropRatio === undefined ? {} : { cropRatio }),
    interpolation,
    mean,
    std,
  }
}

async function findConfig(
  files: ModelFiles,
  folder: string,
): Promise<{ path: string; config: Config } | undefined> {
  const path = `${folder}preprocessor_config.json`
  if (await files.has(path)) return { path, config: await readJsonObject(await files.get(path)) }
  const newer = `${folder}processor_config.json`
  if (!(await files.has(newer))) return undefined
  const { image_processor: config } = await readJsonObject(await files.get(newer))
  return isObject(config) ? { path: newer, config } : undefined
}

type Geometry = Pick<ImagePreprocessing, 'crop' | 'cropRatio'> & { readonly size: Size | undefined }

function geometryOf(config: Config): Geometry {
  const shortest = shortestEdge(config['size'])
  const kept = config['crop_pct']
  // ConvNeXt: below 384 pixels the middle of what is resized to size / crop_pct, from there on everything is squashed.
  if (typeof kept === 'number' && shortest !== undefined) {
    const size = [shortest, shortest] as const
    return shortest < 384 ? { size, crop: 'center', cropRatio: kept } : { size, crop: 'squash' }
  }
  if (config['do_center_crop'] !== true) {
    // A resize of the shorter side alone leaves pictures of all shapes; a network of a fixed size takes their middle.
    return { size: sizeOf(config['size']), crop: shortest === undefined ? 'squash' : 'center' }
  }
  const size = sizeOf(config['crop_size']) ?? sizeOf(config['size'])
  const resized = shortest ?? sizeOf(config['size'])?.[0]
  const ratio = size && resized ? Math.min(1, Math.min(...size) / resized) : 1
  return { size, crop: 'center', cropRatio: ratio }
}

function triple(value: unknown): readonly [number, number, number] | undefined {
  if (!Array.isArray(value) || value.length !== 3) return undefined
  return value.every((entry) => typeof entry === 'number') ? (value as [number, number, number]) : undefined
}

function shortestEdge(size: unknown): number | undefined {
  const value = isObject(size) ? size['shortest_edge'] : undefined
  return typeof value === 'number' ? value : undefined
}

function sizeOf(value: unknown): Size | undefined {
  const { height, width, shortest_edge: edge } = isObject(value) ? value : { height: value, width: value }
  const sides = [height ?? edge, width ?? edge]
  return sides.every((side) => typeof side === 'number' && side > 0) ? (sides as [number, number]) : undefined
}
