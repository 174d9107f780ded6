// The check of an option that counts something.
import { PipiloError } from './errors.ts'

/**
 * Refuses what is no whole number of at least `least`.
 *
 * @param input the option that the error names, where `name` is a part of it. Default: `name`
 * @throws PipiloError `OPTION_INVALID`
 */
export function checkCount(name: string, value: unknown, least: number, input = name): void {
  if (Number.isSafeInteger(value) && Number(value) >= least) return
  const shown = typeof value === 'string' ? `'${value}'` : String(value)
  throw new PipiloError('OPTION_INVALID', `${name} is ${shown}; it has to be a whole number from ${least}.`, {
    input,
  })
}
