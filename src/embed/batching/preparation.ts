import type { PipiloError } from '../../base/index.ts'
import type { Tensor } from '../../tensor/index.ts'
import type { Input } from '../types.ts'

/** One row of a batch: an input, or a chunk of one. */
export interface Unit {
  /** Position of the input in its window. */
  readonly owner: number
  /** What it costs in a batch: tokens, or pixels. */
  readonly size: number
  /** Token ids, or the bytes of RGB pixels. */
  readonly content: readonly number[] | Uint8Array
  readonly truncated: boolean
  /** Where a chunk stands in its text. */
  readonly place?: { readonly start: number; readonly end: number }
}

export interface PrepareOptions {
  /** Index among all inputs, for errors, of one by its position among these. */
  readonly indexOf: (owner: number) => number
  /** Words before every text. */
  readonly prompt: string
  readonly signal: AbortSignal
  /** Takes an input's error; throws it, or remembers it so that the input is left out. */
  readonly onError: (owner: number, error: PipiloError) => void
}

/** What is different between texts and pictures on the way to the model. */
export interface Preparation<I = Input> {
  /** Inputs (and how heavy they are together) that are prepared, sorted and packed together. */
  readonly window: { readonly count: number; readonly weight: number }
  /** Windows under way at a time. */
  readonly ahead: number
  weigh(input: I): number
  /** An input's place among all, where others stand between those that come here. */
  indexOf?(input: I): number
  prepare(inputs: readonly I[], options: PrepareOptions): Promise<Unit[]>
  pack(units: readonly Unit[]): Unit[][]
  feeds(batch: readonly Unit[]): Record<string, Tensor>
}
