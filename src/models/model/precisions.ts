// Precisions that a model can be opened in.
import { PipiloError } from '../../base/index.ts'
import type { OpenOptions } from '../types.ts'

/** Values of {@link OpenOptions.dtype}. */
export type Precision = NonNullable<OpenOptions['dtype']>

/** Precisions that any model can be opened in. */
export const precisions = ['fp32', 'fp16', 'int8'] as const satisfies readonly Precision[]

/** Words of transformers.js for the files of an ONNX export, and what their names end in. */
const endings = {
  q8: '_quantized',
  uint8: '_uint8',
  q4: '_q4',
  q4f16: '_q4f16',
  bnb4: '_bnb4',
} as const satisfies Readonly<Record<Exclude<Precision, (typeof precisions)[number]>, string>>

/** Words for files of an ONNX export, which exist or do not. */
export const fileWords = Object.keys(endings) as readonly (keyof typeof endings)[]

/** End of the file's name for a word that names one; undefined for the precisions that any model can have. */
export function fileEnding(dtype: Precision | undefined): string | undefined {
  return (endings as Readonly<Record<string, string>>)[dtype ?? 'fp32']
}

/** Refuses what is no precision, before anything is fetched. */
export function checkPrecision(dtype: unknown): void {
  const known: readonly unknown[] = [...precisions, ...fileWords]
  if (dtype === undefined || known.includes(dtype)) return
  throw new PipiloError('OPTION_INVALID', `There is no precision '${dtype}'.`, {
    input: 'dtype',
    hint: `Known: ${known.join(', ')}.`,
  })
}
