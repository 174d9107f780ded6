/** Reading the `config.json` of transformers' vision models. */

import { PipiloError } from '../../base/index.ts'
import type { Initializer } from '../../graph/index.ts'
import { isPictureSize } from '../settings.ts'
import { type ConfigRules, fieldsOf, invalid, readConfig } from '../text/textConfig.ts'

/** Height and width. */
export type Size = readonly [height: number, width: number]

/** Sizes of pictures, which configurations give as one number or as two. */
export interface PictureConfig {
  readonly image_size: Size
  readonly patch_size: number
}

/**
 * Checks a `config.json`; what it does not say is as transformers has it, sizes as well.
 *
 * @throws PipiloError `MODEL_INVALID`, `OPERATOR_UNSUPPORTED`, as {@link readConfig}
 */
export function readVisionConfig<Config extends object>(
  json: unknown,
  rules: ConfigRules<Config> & {
    readonly pictures: { readonly image_size: number; readonly patch_size: number }
  },
): Config & PictureConfig {
  const { sizes, defaults, pictures, architecture } = rules
  const given = fieldsOf(json)
  const isSize = (name: string) => (sizes as readonly string[]).includes(name)
  const entries = Object.entries(defaults)
  const config = readConfig<Config>(
    { ...Object.fromEntries(entries.filter(([name]) => isSize(name))), ...given },
    { ...rules, defaults: Object.fromEntries(entries.filter(([name]) => !isSize(name))) as Partial<Config> },
  )
  const image_size = pair(architecture, 'image_size', given['image_size'] ?? pictures.image_size)
  const [patch_size, other] = pair(architecture, 'patch_size', given['patch_size'] ?? pictures.patch_size)
  if (patch_size !== other) {
    throw invalid(architecture, 'patch_size', given['patch_size'], 'Patches must be squares.')
  }
  const channels = given['num_channels'] ?? 3
  if (channels !== 3) throw invalid(architecture, 'num_channels', channels, 'Pictures have 3 channels.')
  return { ...config, image_size, patch_size }
}

function pair(architecture: string, name: string, value: unknown): Size {
  const both = Array.isArray(value) ? value : [value, value]
  if (both.length === 2 && isPictureSize(both)) return [both[0] as number, both[1] as number]
  throw invalid(architecture, name, value, 'It must be a positive integer, or two, of 4,096 × 4,096 at most.')
}

/** Each looks at each other: their squares are counted in gigabytes from some thousands on. */
const MOST_PATCHES = 2 ** 17

/** Rows and columns of whole patches: what is left at the border is not looked at. @throws PipiloError `OPTION_INVALID` for none */
export function patchGrid(size: Size, patch: number): readonly [rows: number, columns: number] {
  const grid = [Math.trunc(size[0] / patch), Math.trunc(size[1] / patch)] as const
  if (grid[0] * grid[1] > MOST_PATCHES) {
    throw new PipiloError(
      'OPTION_INVALID',
      `A picture of ${size[0]} × ${size[1]} holds ${grid[0] * grid[1]} patches, more than ${MOST_PATCHES}.`,
      {
        input: 'size',
        hint: 'Choose a smaller size.',
      },
    )
  }
  if (grid[0] > 0 && grid[1] > 0) return grid
  throw new PipiloError(
    'OPTION_INVALID',
    `A picture of ${size[0]} × ${size[1]} holds no patch of ${patch} × ${patch}.`,
    {
      input: 'size',
      hint: `Choose at least ${patch} × ${patch}.`,
    },
  )
}

/** The checkpoint's tensor of this name, behind whichever prefix. */
export function storedTensor(
  checkpoint: ReadonlyMap<string, Initializer> | undefined,
  prefixes: readonly string[],
  name: string,
): Initializer | undefined {
  for (const prefix of prefixes) {
    const tensor = checkpoint?.get(prefix + name)
    if (tensor) return tensor
  }
  return undefined
}

/**
 * How many classes to tell apart: those of the options, those of the checkpoint's classifier, and without a checkpoint those that
 * the configuration names where its architecture is a classifier.
 */
export function classCount(
  json: unknown,
  checkpoint: ReadonlyMap<string, Initializer> | undefined,
  wanted: number | undefined,
  classifiers: readonly string[],
): number {
  if (wanted !== undefined) return wanted
  if (checkpoint)
    return (
      storedTensor(checkpoint, [''], classifiers.find((name) => checkpoint.has(name)) ?? '')?.shape[0] ?? 0
    )
  const { architectures, num_labels, id2label } = fieldsOf(json)
  const classifies =
    Array.isArray(architectures) && architectures.some((name) => `${name}`.includes('Classification'))
  if (!classifies) return 0
  return typeof num_labels === 'number' ? num_labels : Object.keys(fieldsOf(id2label)).length || 2
}
