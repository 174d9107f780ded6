// Fits inputs that were found in files to the embedder that takes them.
import { PipiloError } from '../../base/index.ts'
import type { InputModality, Modality } from '../../models/index.ts'
import type { Input, TextImageInput } from '../types.ts'

/**
 * An input that was found, as the embedder takes it: a model of texts and pictures has to be told which of the two it is.
 *
 * @example
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

/**
 * The error for an input of a kind that an embedder does not take; undefined for one that it takes.
 *
 * @param hint what to do with such inputs
 */
export function refuseModality(
  embedder: { readonly name: string; readonly modality: Modality },
  { id, modality }: { readonly id: string; readonly modality: InputModality },
  hint: string,
): PipiloError | undefined {
  const both = embedder.modality === 'text-image' && modality !== 'tensor'
  if (both || embedder.modality === modality) return undefined
  const is = { text: 'text', image: 'a picture', tensor: 'an array of numbers' }[modality]
  const embeds = { text: 'text', image: 'pictures', tensor: 'tensors', 'text-image': 'texts and pictures' }[
    embedder.modality
  ]
  return new PipiloError('INPUT_INVALID', `${id} is ${is}, and ${embedder.name} embeds ${embeds}.`, {
    input: id,
    hint,
  })
}
