// Types of numbers that are kept with the cards.

/**
 * A linear map behind several layers of a model: each is averaged over the picture and L2-normalised, all are joined and normalised again, and
 * the map gives numbers that go together no more and have the same variance, over the pictures that it was fitted on.
 *
 * @remarks From Jégou and Chum, "Negative evidences and co-occurrences in image retrieval: the benefit of PCA and whitening" (2012).
 */
export interface Whitening {
  /** Layers of the model. */
  readonly taps: readonly string[]
  /** Numbers that come out. */
  readonly dimensions: number
  /** Matrix [features of the joined layers, dimensions] as half-precision numbers in base64, little-endian. */
  readonly weight: string
  /** Added behind the matrix: [dimensions]. */
  readonly bias: string
}
