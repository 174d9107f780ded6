// A normalizer, and how it keeps account of the beginning of a text.
import { PipiloError } from '../../../base/index.ts'

/** A step that changes a text. */
export interface Normalizer {
  apply(text: string): string
  /**
   * How many of the result's first UTF-16 units come from the text's first `zero`. Missing where the beginning of a text is changed
   * as if nothing followed.
   */
  zero?(text: string, zero: number): number
  /** How many times as long as the text the result can be; missing where that is a fixed number of times for any text. */
  readonly growth?: number
}

/** How many times as long as the text its normal form, and its words together, may be, by what the file chooses. */
const MOST_GROWTH = 256

/**
 * Refuses steps that together could make a text too long.
 *
 * @param growth how many times as long each may make it
 * @throws PipiloError `FORMAT_UNSUPPORTED`
 */
export function checkGrowth(place: string, growth: readonly number[]): void {
  if (growth.reduce((product, times) => product * times, 1) <= MOST_GROWTH) return
  throw new PipiloError(
    'FORMAT_UNSUPPORTED',
    `The steps of the ${place} can make a text more than ${MOST_GROWTH} times as long.`,
  )
}

/** See {@link Normalizer.zero}. */
export function zeroAfter(normalizer: Normalizer, text: string, zero: number): number {
  if (zero === 0) return 0
  return normalizer.zero ? normalizer.zero(text, zero) : normalizer.apply(text.slice(0, zero)).length
}
