// Facts that an embedder needs of a model once its graph has been seen: plain data, kept in notes.
import type { Card, Modality, Opened } from '../../models/index.ts'

/** Facts of a model without its graph. */
export interface KnownModel {
  readonly name: string
  readonly modality: Modality
  readonly card: Card
  /** Path of `tokenizer.json`. */
  readonly tokenizer?: string
  /** A hash of it. */
  readonly tokenizerHash?: string
  readonly fingerprint: string
  readonly opened: Opened
  /** Names of the values that the options' taps stand for. */
  readonly taps: readonly string[]
  /** Names of the graph's inputs. */
  readonly inputs: readonly string[]
  /** Length of a vector, where the graph says it. */
  readonly dimensions?: number
}
