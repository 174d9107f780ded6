// Texts of which a tokenizer gives other ids than Python's.

import type { TextTokenizer } from '../../../src/embed/index.ts'
import { PipiloError } from '../../../src/index.ts'

/** A text without right ids has to be an error, which is `null` here. */
export function differing(
  tokenizer: TextTokenizer,
  texts: readonly string[],
  ids: readonly (readonly number[] | null | undefined)[],
  limit?: number,
) {
  return texts.flatMap((text, i) => {
    let own: number[] | null = null
    try {
      own = tokenizer.encode(text, limit).ids
    } catch (error) {
      if (!(error instanceof PipiloError)) throw error
    }
    const right = ids[i] ?? null
    return own?.join() === right?.join() ? [] : [{ text, own, right }]
  })
}
