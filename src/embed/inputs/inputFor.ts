// Fits inputs that were found in files to the embedder that takes them.
import type { InputModality, Modality } from '../../models/index.ts'
import type { Input, TextImageInput } from '../types.ts'

/**
 * An input that was found, as the embedder takes it: a model of texts and pictures has to be told which of the two it is.
 *
 * ```ts
 * embedder.embed(found.map((each) => inputFor(embedder, each)))
 * ```
 */
export function inputFor<I extends Input>(
  embedder: { readonly modality: Modality },
  { input, modality }: { readonly input: I; readonly modality: InputModality },
): I | TextImageInput {
  return embedder.modality === 'text-image' ? ({ [modality]: input } as unknown as TextImageInput) : input
}

/** True if an embedder takes an input of this kind. */
export function takes(embedder: { readonly modality: Modality }, modality: InputModality): boolean {
  return embedder.modality === 'text-image' || embedder.modality === modality
}
