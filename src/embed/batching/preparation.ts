// Interface of the preparation of inputs, which differs between texts, pictures and tensors.
import type { PipiloError } from '../../base/index.ts'
import type { Card } from '../../models/index.ts'
import type { Tensor } from '../../tensor/index.ts'
import type { TensorContent } from '../tensors/content.ts'
import type { EmbedOptions, Input } from '../types.ts'

/** One row of a batch: an input, or a chunk of one. */
export interface Unit {
  /** Position of the input in its window. */
  readonly owner: number
  /** Cost in a batch: tokens, pixels, or numbers. */
  readonly size: number
  /** Of texts: how many tokens, special ones and the prompt's included. */
  readonly tokens?: number
  /** Token ids, or the bytes of RGB pixels. */
  readonly content: readonly number[] | Uint8Array
  /** Of tensors: those of the graph's inputs. */
  readonly tensors?: TensorContent
  readonly truncated: boolean
  /** Place of a chunk in its text. */
  readonly place?: { readonly start: number; readonly end: number }
}

/** Most that the units of a batch, and those that wait, may cost together. */
export interface Limits {
  readonly unit: 'tokens' | 'pixels' | 'numbers'
  /** Cost of a batch: its units times the longest of them. A longer unit is a batch of its own. */
  readonly batch: number
  /** Length to which a unit is padded at least. */
  readonly least: number
  /** A batch is not made smaller than this to keep all workers busy. */
  readonly smallest: number
  /** Most that several calls may have waiting. */
  readonly waiting: number
  /** Units that may run in one batch: see the card's `together`. Default `any`. */
  readonly together?: Card['together']
}

export interface PrepareOptions {
  /** Index among all inputs, for errors, of one by its position among these. */
  readonly indexOf: (owner: number) => number
  /** Words before every text. */
  readonly prompt: string
  /** See {@link EmbedOptions.truncate}. */
  readonly truncate?: EmbedOptions['truncate'] | undefined
  readonly signal: AbortSignal
  /** Takes an input's error; throws it, or remembers it so that the input is left out. */
  readonly onError: (owner: number, error: PipiloError) => void
}

/** Steps on the way to the model that differ between texts, pictures and tensors. */
export interface Preparation<I = Input> {
  /** Inputs (and how heavy they are together) that are prepared, sorted and packed together. */
  readonly window: { readonly count: number; readonly weight: number }
  /** Windows under way at a time. */
  readonly ahead: number
  readonly limits: Limits
  /** True where {@link pack} itself puts as many units together as the graph takes rows. */
  readonly packs?: boolean
  weigh(input: I): number
  /** About how many tokens or pixels an input will have. */
  expect(input: I): number
  /** An input's place among all, where others stand between those that come here. */
  indexOf?(input: I): number
  prepare(inputs: readonly I[], options: PrepareOptions): Promise<Unit[]>
  pack(units: readonly Unit[]): Unit[][]
  feeds(batch: readonly Unit[]): Record<string, Tensor>
  /** True of an input of the graph that has a row for each unit. Default: all. */
  hasRows?(input: string): boolean
}
