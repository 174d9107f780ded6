// A normalizer, and how it keeps account of the beginning of a text.

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

/** See {@link Normalizer.zero}. */
export function zeroAfter(normalizer: Normalizer, text: string, zero: number): number {
  if (zero === 0) return 0
  return normalizer.zero ? normalizer.zero(text, zero) : normalizer.apply(text.slice(0, zero)).length
}
