// Libraries that are installed by those who need them.
import { PipiloError } from '../base/index.ts'

/**
 * Loads a library that may not be installed.
 *
 * @param install as `npm install` takes it
 * @param what what it reads: `PDF files`
 * @throws PipiloError `FORMAT_UNSUPPORTED`, with the command that installs it
 */
export async function optional<T>(
  name: string,
  install: string,
  what: string,
  load: () => Promise<T>,
): Promise<T> {
  try {
    return await load()
  } catch (cause) {
    const { code } = cause as { code?: string }
    if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') throw cause
    throw new PipiloError('FORMAT_UNSUPPORTED', `${what} are read by ${name}, which is not installed.`, {
      input: name,
      hint: `npm install ${install}`,
      cause,
    })
  }
}
