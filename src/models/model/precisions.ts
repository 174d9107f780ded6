// Precisions that a model can be opened in.
import { PipiloError } from '../../base/index.ts'
import type { OpenOptions } from '../types.ts'

/** Values of {@link OpenOptions.dtype}. */
export type Precision = NonNullable<OpenOptions['dtype']>

/** Precisions that a model can be opened in. */
export const precisions: readonly Precision[] = ['fp32', 'fp16', 'int8']

/** Refuses what is no precision, before anything is fetched. */
export function checkPrecision(dtype: unknown): void {
  if (dtype === undefined || precisions.includes(dtype as Precision)) return
  throw new PipiloError('OPTION_INVALID', `There is no precision '${dtype}'.`, {
    input: 'dtype',
    hint: `Known: ${precisions.join(', ')}.`,
  })
}
