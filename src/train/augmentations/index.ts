/** Door of the augmentations: operations on batches of pixels, their random numbers, and masks. */
export * from './augmentation.ts'
export * from './augmenter.ts'
export * from './blur.ts'
export * from './color.ts'
export * from './erasing.ts'
export * from './geometry.ts'
export {
  type BlockMaskOptions,
  blockMask,
  type MaskCounters,
  type PatchMaskOptions,
  type PatchMasks,
  patchMask,
} from './masks.ts'
export type { Size } from './pixels.ts'
export * from './presets.ts'
export type * from './steps.ts'
export { IGNORED_LABEL, type TokenMaskOptions, tokenMask } from './tokens.ts'
