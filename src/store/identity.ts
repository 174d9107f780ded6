// Identity of an embedder as collections of Pipilo 0.1 remember it, in place of a recipe.
import type { Pooling } from '../models/index.ts'

/** The embedder of a collection that was made before there were recipes. */
export interface EmbedderIdentity {
  readonly model: string
  readonly fingerprint: string
  /** Names of layers or places as they were asked for, joined by commas. */
  readonly tap: string
  readonly pool: Pooling
  readonly normalize: boolean
  readonly dimensions: number
}
