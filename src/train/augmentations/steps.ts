/** Steps of an augmentation: what each kind is told, and its defaults. */
import type { AffineInterpolation, PaddingMode } from './geometry.ts'
import type { Size } from './pixels.ts'

/** From the first to the second. */
export type Range = readonly [from: number, to: number]

/** A box of random area and shape, resized: torchvision's `RandomResizedCrop`. */
export interface RandomResizedCrop {
  readonly size: Size
  /** Part of the picture's area. Default [0.08, 1]. */
  readonly scale?: Range
  /** Width over height. Default [3/4, 4/3]. */
  readonly ratio?: Range
  /** Default `true`. */
  readonly antialias?: boolean
}

/** A window of the padded picture: torchvision's `RandomCrop`. */
export interface RandomCrop {
  readonly size: Size
  /** Pixels on each side. Default 0. */
  readonly padding?: number
  /** Default `constant`: zeros. */
  readonly mode?: PaddingMode
}

/** Left and right changed: torchvision's `RandomHorizontalFlip`. */
export interface HorizontalFlip {
  /** Default 0.5. */
  readonly p?: number
}

/**
 * Brightness, contrast, saturation and hue in random order: torchvision's `ColorJitter` within a `RandomApply`. The order is drawn for
 * each picture, as it is where torchvision is called on one picture at a time.
 */
export interface ColorJitter {
  /** Factors from `max(0, 1 - brightness)` to `1 + brightness`, or from one number to another. Default: left alone. */
  readonly brightness?: number | Range
  /** As brightness. */
  readonly contrast?: number | Range
  /** As brightness. */
  readonly saturation?: number | Range
  /** Parts of a turn from `-hue` to `hue`, at most 0.5; or from one number to another. Default: left alone. */
  readonly hue?: number | Range
  /** Default 1. */
  readonly p?: number
}

/** Grey in every channel: torchvision's `RandomGrayscale`. */
export interface Grayscale {
  /** Default 0.1. */
  readonly p?: number
}

/** torchvision's `GaussianBlur` within a `RandomApply`. */
export interface GaussianBlur {
  /** Odd. */
  readonly kernelSize: number
  /** Deviation in pixels, drawn evenly. Default [0.1, 2]. */
  readonly sigma?: number | Range
  /** Default 1. */
  readonly p?: number
}

/** Pixels from a threshold on inverted: torchvision's `RandomSolarize`. */
export interface Solarize {
  /** From 0 to 1. Default 0.5. */
  readonly threshold?: number
  /** Default 0.5. */
  readonly p?: number
}

/** A box filled with one value: torchvision's `RandomErasing`. */
export interface Erasing {
  /** Part of the picture's area. Default [0.02, 0.33]. */
  readonly scale?: Range
  /** Height over width. Default [0.3, 3.3]. */
  readonly ratio?: Range
  /** Of all channels, or one a channel. Default 0. */
  readonly value?: number | readonly number[]
  /** Default 0.5. */
  readonly p?: number
}

/** A rotation, translation, scaling and shear about the middle: torchvision's `RandomAffine`. Outside is 0. */
export interface Affine {
  /** Degrees, from `-degrees` to `degrees` or from one number to another. Default 0. */
  readonly degrees?: number | Range
  /** Largest translations along x and y, as parts of width and height. Default [0, 0]. */
  readonly translate?: readonly [x: number, y: number]
  /** Default [1, 1]. */
  readonly scale?: Range
  /** Degrees along x, as `degrees`. Default 0. */
  readonly shear?: number | Range
  /** Default `bilinear` (torchvision's own is `nearest`). */
  readonly interpolation?: AffineInterpolation
  /** Default 1. */
  readonly p?: number
}

/** `(x - mean) / std`: torchvision's `Normalize`. */
export interface Normalize {
  /** One a channel. */
  readonly mean: readonly number[]
  /** One a channel. */
  readonly std: readonly number[]
}

/** The options of each kind of step. */
export interface AugmentationStepOptions {
  readonly randomResizedCrop: RandomResizedCrop
  readonly randomCrop: RandomCrop
  readonly horizontalFlip: HorizontalFlip
  readonly colorJitter: ColorJitter
  readonly grayscale: Grayscale
  readonly gaussianBlur: GaussianBlur
  readonly solarize: Solarize
  readonly erasing: Erasing
  readonly affine: Affine
  readonly normalize: Normalize
}

/** Kinds of steps. */
export type StepKind = keyof AugmentationStepOptions

/** One step of an augmentation: `{ kind: 'horizontalFlip', p: 0.5 }`. */
export type AugmentationStep = {
  [K in StepKind]: AugmentationStepOptions[K] & { readonly kind: K }
}[StepKind]

/** The steps of an augmentation, in their order; or of each of several views of every picture. */
export type AugmentationSpec =
  | readonly AugmentationStep[]
  | { readonly views: readonly (readonly AugmentationStep[])[] }
