// Errors for work that an abort signal ended.
import { PipiloError } from './errors.ts'

/** The error for a signal that fired; the signal's reason is its cause. */
export function abortError(signal: AbortSignal): PipiloError {
  const { reason } = signal
  if (reason instanceof PipiloError) return reason
  return new PipiloError('ABORTED', 'The work was cancelled.', { cause: reason })
}

/** @throws `ABORTED` */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal)
}
