/** Augmentations of well-known recipes. */
import { checkOptions, is, type OptionTable } from '../../base/index.ts'
import type { AugmentationSpec, AugmentationStep, Normalize } from './steps.ts'

const viewsTypes: OptionTable<ContrastiveOptions> = {
  strength: is.numeric(0),
  minimumScale: is.numeric(0, 1),
  normalize: is.either(is.flag, is.record),
}

/** Statistics of ImageNet's pictures. */
export const IMAGENET: Normalize = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }
/** Statistics of CIFAR-10's training pictures. */
export const CIFAR10: Normalize = { mean: [0.4914, 0.4822, 0.4465], std: [0.247, 0.2435, 0.2616] }
/** Statistics of MNIST's training pictures. */
export const MNIST: Normalize = { mean: [0.1307], std: [0.3081] }

/** Options of {@link simClrAugmentation} and {@link byolAugmentation}. */
export interface ContrastiveOptions {
  /** Strength of the jitter of colours. Default 1; SimCLR takes 0.5 for CIFAR. */
  readonly strength?: number
  /** Smallest part of a picture's area that a crop takes. Default 0.08. */
  readonly minimumScale?: number
  /** Default: ImageNet's mean and deviation. `false`: pixels stay in 0…1. */
  readonly normalize?: Normalize | false
}

/**
 * SimCLR's augmentation: crop, flip, jitter of colours (0.8), grey (0.2), blur (0.5), normalisation.
 *
 * @example
 * ```ts
 * augmentation(simClrAugmentation(64), { size: 96, channels: 3, views: 2 })
 * ```
 *
 * @remarks
 * The blur's kernel is a tenth of the size, as in SimCLR's code; deviations are 0.1 to 2 pixels. For CIFAR's 32 pixels SimCLR leaves
 * blur out: filter it from the list. From https://arxiv.org/abs/2002.05709, appendix A.
 */
export function simClrAugmentation(
  size: number,
  options: ContrastiveOptions = {},
): readonly AugmentationStep[] {
  checkOptions('simClrAugmentation', options, viewsTypes)
  const { strength = 1 } = options
  return contrastive(size, options, {
    jitter: [0.8, 0.8, 0.8, 0.2].map((most) => most * strength),
    blur: 0.5,
  })
}

/**
 * BYOL's two views: as SimCLR with weaker colours; the first always blurred, the second rarely (0.1) but solarised (0.2).
 *
 * @example
 * ```ts
 * augmentation(byolAugmentation(64), { size: 96, channels: 3 })
 * ```
 *
 * @remarks From https://arxiv.org/abs/2006.07733, appendix B.
 */
export function byolAugmentation(size: number, options: ContrastiveOptions = {}): AugmentationSpec {
  checkOptions('byolAugmentation', options, viewsTypes)
  const { strength = 1 } = options
  const jitter = [0.4, 0.4, 0.2, 0.1].map((most) => most * strength)
  return {
    views: [
      contrastive(size, options, { jitter, blur: 1 }),
      contrastive(size, options, { jitter, blur: 0.1, solarize: 0.2 }),
    ],
  }
}

function contrastive(
  size: number,
  { minimumScale = 0.08, normalize = IMAGENET }: ContrastiveOptions,
  view: { readonly jitter: readonly number[]; readonly blur: number; readonly solarize?: number },
): readonly AugmentationStep[] {
  const [brightness, contrast, saturation, hue] = view.jitter as [number, number, number, number]
  const radius = Math.floor(Math.floor(size / 10) / 2)
  return [
    { kind: 'randomResizedCrop', size, scale: [minimumScale, 1] },
    { kind: 'horizontalFlip', p: 0.5 },
    { kind: 'colorJitter', brightness, contrast, saturation, hue, p: 0.8 },
    { kind: 'grayscale', p: 0.2 },
    { kind: 'gaussianBlur', kernelSize: 2 * radius + 1, sigma: [0.1, 2], p: view.blur },
    ...(view.solarize ? [{ kind: 'solarize', threshold: 0.5, p: view.solarize } as const] : []),
    ...(normalize ? [{ kind: 'normalize', ...normalize } as const] : []),
  ]
}

/**
 * The usual augmentation for classifying CIFAR: 4 pixels of padding, a crop of 32, flips, normalisation.
 *
 * @example
 * ```ts
 * augmentation(cifarAugmentation(), { size: 32, channels: 3 })
 * ```
 *
 * @remarks From https://arxiv.org/abs/1512.03385, section 4.2.
 */
export function cifarAugmentation(
  options: { readonly normalize?: Normalize | false } = {},
): readonly AugmentationStep[] {
  const { normalize = CIFAR10 } = options
  return [
    { kind: 'randomCrop', size: 32, padding: 4 },
    { kind: 'horizontalFlip', p: 0.5 },
    ...(normalize ? [{ kind: 'normalize', ...normalize } as const] : []),
  ]
}

/**
 * Small rotations (10°), translations (a tenth), scalings (a tenth) and shears (5°) of digits, and normalisation.
 *
 * @example
 * ```ts
 * augmentation(mnistAugmentation(), { size: 28, channels: 1 })
 * ```
 */
export function mnistAugmentation(
  options: { readonly normalize?: Normalize | false } = {},
): readonly AugmentationStep[] {
  const { normalize = MNIST } = options
  return [
    { kind: 'affine', degrees: 10, translate: [0.1, 0.1], scale: [0.9, 1.1], shear: 5 },
    ...(normalize ? [{ kind: 'normalize', ...normalize } as const] : []),
  ]
}
