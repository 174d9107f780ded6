// Errors of LanceDB as ours, and the repetition of work after conflicts with other writers.
import { PipiloError } from '../base/index.ts'

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Another writer committed first (also: added the same column): the work has to be done again on top of theirs. */
export const isConflict = (error: unknown): boolean =>
  /commit conflict|preempted by concurrent|concurrent writers|incompatible transaction|conflicting commit|column \S+ already exists/i.test(
    message(error),
  )

/** Files of the version that was being read were replaced and deleted meanwhile. */
export const isVanished = (error: unknown): boolean => /not found|no such file/i.test(message(error))

/** A tag keeps LanceDB from deleting old versions. */
export const isTagged = (error: unknown): boolean => /tagged version\(s\)/i.test(message(error))

/** Hint for a collection that cannot be read. */
export const damaged = 'If its files were damaged or removed by hand, drop the collection and index again.'

/** An error of LanceDB as one of ours: `WRITE_FAILED` when the disk refuses, otherwise `STORE_FAILED`. */
export function lanceError(error: unknown, sentence: string, hint?: string): PipiloError {
  if (error instanceof PipiloError) return error
  // Lance puts the kinds of errors before the reason, and the line of its own source and the chain of causes after it;
  // all of that stays in `cause`.
  const reason = message(error)
    .replace(/^.*?(?:GenericFailure, )?lance error: (?:LanceError\(\w+\): )?/i, '')
    .split(/, (?:\/usr\/local|\/rustc|\/root|\/home|rust\/)|(?<!\s)\s+Caused by|\n/)[0]!
    .trim()
    .replace(/\.?$/, '.')
  if (
    /os error (?:1|13|28|30|122)\)|no space left|read-only file system|permission denied/i.test(
      message(error),
    )
  ) {
    return new PipiloError('WRITE_FAILED', `${sentence}: ${reason}`, {
      hint: 'Check that the disk has room and that the folder may be written.',
      cause: error,
    })
  }
  return new PipiloError(
    'STORE_FAILED',
    `${sentence}: ${reason}`,
    hint ? { hint, cause: error } : { cause: error },
  )
}

/**
 * Does the work again, after a growing random pause, while other writers get in between.
 *
 * @param attempts times in all. Default 60, which take half a minute or more.
 * @param again tells errors that another attempt may mend. Default: conflicts with other writers.
 */
export async function retrying<T>(work: () => Promise<T>, attempts = 60, again = isConflict): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (!again(error) || attempt >= attempts) throw error
      const pause = Math.random() * Math.min(1000, 10 * 2 ** attempt)
      await new Promise((resolve) => setTimeout(resolve, pause))
    }
  }
}
