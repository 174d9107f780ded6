// How pictures are prepared for weights in a file of its own, as those who published it say.
import type { ImagePreprocessing } from '../types.ts'
import { imageNet } from './timm.ts'
import { imageOf, timmPreparation } from './timmPreparation.ts'

/** A file of weights, by the name under which it was published. */
export interface PublishedFile {
  /** Its name without its hash and ending. */
  readonly stem: string
  /** First digits of the hash of its content, or `''`. */
  readonly hash: string
}

/** A preparation, and what the card says of where it is from. */
export interface PublishedPreparation {
  readonly image: ImagePreprocessing
  readonly notes: string
}

/** DINO's and DINOv2's own evaluation: 256 pixels, the middle 224. */
const facebook: ImagePreprocessing = { ...imageNet, interpolation: 'bicubic' }

/**
 * The preparation of a published file: of torchvision's and timm's by their hashes, of DINO's and DINOv2's by their names; of weights of another origin
 * what timm gives to the architecture, where the caller has named that.
 *
 * @param name the architecture
 * @param isNamed true where the caller has named it
 * @returns undefined where nothing is known
 */
export async function publishedPreparation(
  name: string,
  file: PublishedFile | undefined,
  isNamed: boolean,
): Promise<PublishedPreparation | undefined> {
  const said = (whose: string) => `The files say nothing of preprocessing: it is ${whose}.`
  if (file && file.hash !== '' && !name.includes('.')) {
    const { torchvisionPreparations } = await import('./torchvisionPreparations.ts')
    const row = torchvisionPreparations.find(([, hashes]) => hashes.split(' ').includes(file.hash))
    if (row) return { image: imageOf(row[0]), notes: said(`torchvision's for ${file.stem}-${file.hash}`) }
    const known = await timmPreparation(name, file.hash)
    if (known) return { image: known.image, notes: said(`timm's for ${file.stem}-${file.hash}`) }
  }
  const ofFacebook = [file?.stem ?? '', name].find((each) => /^dino(?:v2)?_/.test(each))
  if (ofFacebook !== undefined) {
    return { image: facebook, notes: said(`that of the evaluation of ${ofFacebook}`) }
  }
  if (file && !isNamed) return undefined
  const known = await timmPreparation(name)
  if (!known) return undefined
  const others = known.varies ? '; weights of other tags want others: name them as architecture.tag' : ''
  return { image: known.image, notes: said(`timm's for ${name}${others}`) }
}
