// Parts of addresses without their escapes.
import { PipiloError } from '../../base/index.ts'

/** @throws PipiloError `INPUT_INVALID` for escapes that are none, such as `%ZZ` */
export function unescaped(part: string, whole: string): string {
  try {
    return decodeURIComponent(part)
  } catch (cause) {
    throw new PipiloError('INPUT_INVALID', `'${whole}' has an escape that is none.`, {
      input: whole,
      hint: 'Escapes are % and two hexadecimal digits of UTF-8; a % itself is %25.',
      cause,
    })
  }
}
