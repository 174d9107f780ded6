// The check of an option that counts something.
import { PipiloError } from './errors.ts'

/** Refuses what is no whole number of at least `least`. @throws PipiloError `OPTION_INVALID` */
export function checkCount(name: string, value: unknown, least: number): void {
  if (Number.isSafeInteger(value) && Number(value) >= least) return
  throw new PipiloError(
    'OPTION_INVALID',
    `${name} is ${String(value)}; it has to be a whole number from ${least}.`,
    { input: name },
  )
}
