// The number of components that a random projection needs.
import { checkCount, PipiloError } from '../../base/index.ts'

/**
 * Components with which a random projection changes no squared distance among `rows` vectors by more than a share.
 *
 * @example
 * ```ts
 * johnsonLindenstrauss(10_000, 0.2) // 2125
 * ```
 *
 * @throws `OPTION_INVALID`
 * @see https://doi.org/10.1002/rsa.10073 Dasgupta and Gupta 2003
 */
export function johnsonLindenstrauss(rows: number, distortion = 0.1): number {
  checkCount('rows', rows, 1)
  if (!(distortion > 0 && distortion < 1)) {
    throw new PipiloError('OPTION_INVALID', `distortion is ${distortion}; it lies between 0 and 1.`, {
      input: 'distortion',
    })
  }
  return Math.max(1, Math.floor((4 * Math.log(rows)) / (distortion ** 2 / 2 - distortion ** 3 / 3)))
}
