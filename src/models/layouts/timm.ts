// Reads the `config.json` of timm repositories.
import { PipiloError } from '../../base/index.ts'
import { isObject, type ModelFiles } from '../files.ts'
import type { ImagePreprocessing } from '../types.ts'

type Config = Readonly<Record<string, unknown>>

/** How networks for ImageNet are usually prepared. */
export const imageNet: ImagePreprocessing = {
  size: [224, 224],
  crop: 'center',
  cropRatio: 0.875,
  interpolation: 'bilinear',
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
}

/** Content of a timm repository's `config.json` beside the architecture. */
export interface TimmConfig {
  readonly image: ImagePreprocessing
  readonly licence: string
}

/**
 * Reads `pretrained_cfg` of timm's `config.json`: `mean`, `std`, `input_size`, `crop_pct`, `crop_mode`, `interpolation`,
 * `license`. What it leaves out is timm's default.
 *
 * @throws PipiloError `FORMAT_UNSUPPORTED` for pictures that Pipilo does not prepare, such as those of many channels
 * @see https://huggingface.co/docs/timm/models
 */
export function readTimmConfig(files: Pick<ModelFiles, 'label'>, config: Config): TimmConfig {
  const stated = isObject(config['pretrained_cfg']) ? config['pretrained_cfg'] : config
  const refuse = (name: string): PipiloError =>
    new PipiloError(
      'FORMAT_UNSUPPORTED',
      `The ${name} of ${files.label} (config.json) is ${JSON.stringify(stated[name])}.`,
      {
        input: files.label,
        hint: 'Say how pictures are prepared with the option card: { image: { … } }.',
      },
    )
  const input = stated['input_size'] ?? [3, 224, 224]
  if (!isNumbers(input, 3) || (input[0] !== 3 && input[0] !== 1)) throw refuse('input_size')
  const channels = input[0]
  const perChannel = (name: 'mean' | 'std'): ImagePreprocessing['mean'] => {
    const value = stated[name] ?? imageNet[name]
    if (!isNumbers(value, channels)) throw refuse(name)
    return value as unknown as ImagePreprocessing['mean']
  }
  const interpolation = stated['interpolation'] ?? 'bicubic'
  if (!isOneOf(interpolation, ['bilinear', 'bicubic', 'nearest', 'lanczos', 'box', 'hamming']))
    throw refuse('interpolation')
  const crop = stated['crop_mode'] ?? 'center'
  if (!isOneOf(crop, ['center', 'squash', 'border'])) throw refuse('crop_mode')
  const cropRatio = stated['crop_pct'] ?? imageNet.cropRatio
  if (typeof cropRatio !== 'number' || !(cropRatio > 0 && cropRatio <= 1)) throw refuse('crop_pct')
  const licence = stated['license']
  const mean = perChannel('mean')
  return {
    image: timmBorder({
      size: [input[1]!, input[2]!],
      crop,
      cropRatio,
      interpolation,
      ...(channels === 1 && { channels }),
      mean,
      std: perChannel('std'),
    }),
    licence: typeof licence === 'string' ? licence : 'unknown',
  }
}

/** With the colour of timm's border, which is the one that becomes 0. */
export function timmBorder(image: ImagePreprocessing): ImagePreprocessing {
  return image.crop === 'border' ? { ...image, background: colour(image.mean) } : image
}

function colour(mean: ImagePreprocessing['mean']): NonNullable<ImagePreprocessing['background']> {
  const [red, green = red, blue = red] = mean.map((value) => Math.round(255 * value))
  return [red!, green!, blue!]
}

function isNumbers(value: unknown, length: number): value is number[] {
  return Array.isArray(value) && value.length === length && value.every((entry) => Number.isFinite(entry))
}

function isOneOf<T extends string>(value: unknown, known: readonly T[]): value is T {
  return known.some((entry) => entry === value)
}
