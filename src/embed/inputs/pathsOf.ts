// Paths as they are given.
import { PipiloError, shownValue } from '../../base/index.ts'

/**
 * Paths as a list.
 *
 * @throws PipiloError `INPUT_INVALID` for what is none
 */
export function pathsOf(
  paths: string | Iterable<string> | AsyncIterable<string>,
): Iterable<string> | AsyncIterable<string> {
  if (typeof paths === 'string') return [paths]
  const given: unknown = paths
  const isList =
    typeof given === 'object' && given !== null && (Symbol.iterator in given || Symbol.asyncIterator in given)
  if (isList && !ArrayBuffer.isView(given)) return paths
  throw new PipiloError(
    'INPUT_INVALID',
    `The paths are ${shownValue(paths)}; they have to be a text or a list of texts.`,
    { input: 'paths' },
  )
}
