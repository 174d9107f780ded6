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

const path = 'preprocessor_config.json'

/**
 * The preparation of pictures that transformers' `preprocessor_config.json` describes, or undefined where there is none.
 *
 * @param size what the network takes: the configuration must lead to it
 * @throws PipiloError `FORMAT_UNSUPPORTED` for what Pipilo does not do, such as another factor than 1/255
 */
export async function readPreprocessor(
  files: ModelFiles,
  size: readonly [height: number, width: number],
): Promise<ImagePreprocessing | undefined> {
  if (!(await files.has(path))) return undefined
  const config = await readJsonObject(await files.get(path))
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
  const shortest = shortestEdge(config['size'])
  if (config['do_center_crop'] !== true) {
    // A resize of the shorter side alone leaves pictures of all shapes; a network of a fixed size takes their middle.
    return { size, crop: shortest === undefined ? 'squash' : 'center', interpolation, mean, std }
  }
  const cropped = edge(config['crop_size']) ?? Math.min(...size)
  const resized = shortest ?? edge(config['size']) ?? cropped
  return { size, crop: 'center', cropRatio: Math.min(1, cropped / resized), interpolation, mean, std }
}

function triple(value: unknown): readonly [number, number, number] | undefined {
  if (!Array.isArray(value) || value.length !== 3) return undefined
  return value.every((entry) => typeof entry === 'number') ? (value as [number, number, number]) : undefined
}

function shortestEdge(size: unknown): number | undefined {
  const value = isObject(size) ? size['shortest_edge'] : undefined
  return typeof value === 'number' ? value : undefined
}

function edge(size: unknown): number | undefined {
  const value = isObject(size) ? (size['height'] ?? size['shortest_edge']) : size
  return typeof value === 'number' && value > 0 ? value : undefined
}
