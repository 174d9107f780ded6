// Types of the search for duplicates.
import type { PipiloError } from '../../base/index.ts'
import type { AnyInput } from '../../embed/index.ts'
import type { Evaluation } from '../tasks/types.ts'

/** Options of {@link duplicates}. */
export interface DuplicatesOptions {
  /** Cosine from which two inputs are near-identical. Default: the one that the model's card names, where it was measured. */
  readonly threshold?: number
  /** An input that cannot be read: an error, or left out and listed in `skipped`. Default `throw`. */
  readonly onError?: 'throw' | 'skip'
  readonly signal?: AbortSignal
  readonly onProgress?: (event: { done: number; total: number }) => void
}

/** An input of a group. */
export interface DuplicateMember {
  readonly index: number
  /** Cosine with the group's representative. */
  readonly similarity: number
  /** The very text or bytes of the representative. */
  readonly exact: boolean
}

/** Inputs that are near-identical to one of them. */
export interface DuplicateGroup {
  /** Index of the input that is nearest to the most others. */
  readonly representative: number
  /** The representative first, then the others, nearest first. */
  readonly members: readonly DuplicateMember[]
}

/** Result of {@link duplicates}. */
export interface Duplicates {
  /** Largest first. */
  readonly groups: readonly DuplicateGroup[]
  readonly threshold: number
  /** Inputs that could be dropped: all members but the representatives. */
  readonly redundant: number
  readonly skipped: readonly { readonly index: number; readonly error: PipiloError }[]
  readonly cost: Evaluation['cost']
}

/** Two inputs, and whether somebody calls them duplicates. */
export interface LabelledPair<In extends AnyInput = AnyInput> {
  readonly a: In
  readonly b: In
  readonly duplicate: boolean
}

/** Result of {@link bestThreshold} and {@link duplicateThreshold}. */
export interface Threshold {
  /** Halfway between the last score that counts and the next that does not. */
  readonly threshold: number
  readonly f1: number
  readonly precision: number
  readonly recall: number
}
