// Runs Lezer's parsers within bounds.
import type { PartialParse, Tree } from '@lezer/common'
import { PipiloError } from '../../../base/index.ts'

/** Seconds that a text may take, and further ones for each MB: ordinary texts take a hundredth. */
const [LEAST, EACH] = [10, 5]

/** Steps of a parser between two looks at the clock. */
const STEPS = 64

/**
 * The tree of a text. Some texts take a time that grows with the square of their length, which no look at them tells beforehand.
 *
 * @param check called between steps
 * @throws PipiloError `TEXT_INVALID` for a text that takes too long, or is nested so deep that no stack holds it
 */
export function treeOf(parse: PartialParse, text: string, id: string, check = () => {}): Tree {
  const until = performance.now() + 1000 * (LEAST + (EACH * text.length) / 1e6)
  try {
    for (let step = 1; ; step++) {
      const tree = parse.advance()
      if (tree) return tree
      check()
      if (step % STEPS === 0 && performance.now() > until)
        throw new PipiloError('TEXT_INVALID', `${id} takes too long to be parsed.`, { input: id, hint })
    }
  } catch (error) {
    throw error instanceof RangeError ? nestedTooDeep(id) : error
  }
}

const hint = 'Read it line by line (by: "line"), or as plain text under the name .txt.'

/** The error of a text whose parts lie in each other too deep. */
export function nestedTooDeep(id: string): PipiloError {
  return new PipiloError('TEXT_INVALID', `${id} is nested too deep to be parsed.`, { input: id, hint })
}
