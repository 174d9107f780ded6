// The words that options and cards choose from.
import type { ImagePreprocessing, Modality, Pooling } from '../types.ts'

const wordsOf = <Word extends string>(words: Readonly<Record<Word, true>>): readonly Word[] =>
  Object.keys(words) as Word[]

/** A word that is missing here does not compile. */
export const poolings = wordsOf<Pooling>({
  cls: true,
  mean: true,
  max: true,
  last: true,
  none: true,
  flatten: true,
})

export const modalities = wordsOf<Modality>({ text: true, image: true, tensor: true, 'text-image': true })

export const crops = wordsOf<ImagePreprocessing['crop']>({ squash: true, center: true, border: true })

export const interpolations = wordsOf<ImagePreprocessing['interpolation']>({
  bilinear: true,
  bicubic: true,
  nearest: true,
  lanczos: true,
  box: true,
  hamming: true,
})
