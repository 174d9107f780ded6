// The one error of work that its caller has given up, and waiting that heeds it.
import { PipiloError } from './errors.ts'

/**
 * The error for a signal that fired; the signal's reason is its cause.
 *
 * @param sentence says what was stopped
 */
export function abortError(signal?: AbortSignal, sentence = 'The work was cancelled.'): PipiloError {
  const reason: unknown = signal?.reason
  if (reason instanceof PipiloError && reason.code === 'ABORTED') return reason
  return new PipiloError('ABORTED', sentence, { cause: reason })
}

/** @throws `ABORTED` */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal)
}

const callbacks = new WeakMap<AbortSignal, Set<() => void>>()

/**
 * Calls back when the signal fires; it has one listener, however many wait: Node warns of more than ten.
 *
 * @returns takes the callback away
 */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (!signal) return () => {}
  let all = callbacks.get(signal)
  if (!all) {
    const found = new Set<() => void>()
    all = found
    callbacks.set(signal, found)
    signal.addEventListener('abort', () => {
      for (const each of found) each()
    })
  }
  all.add(callback)
  return () => void all.delete(callback)
}

/** The first promise to settle; rejects with `ABORTED` when the signal fires before. */
export async function orAborted<A, B = A>(
  signal: AbortSignal,
  a?: Promise<A>,
  b?: Promise<B>,
): Promise<A | B> {
  if (signal.aborted) {
    // Nobody else heeds what they come to.
    for (const each of [a, b]) each?.catch(() => {})
    throw abortError(signal)
  }
  let stop = () => {}
  const aborted = new Promise<never>((_, reject) => {
    stop = onAbort(signal, () => reject(abortError(signal)))
  })
  try {
    return await Promise.race([aborted, ...(a ? [a] : []), ...(b ? [b] : [])])
  } finally {
    stop()
  }
}
