// Pauses in long work, so that other events of the event loop get their turn.
import { setImmediate } from 'node:timers/promises'

/** Longest stretch of work in milliseconds before other events get their turn. */
const STRETCH = 6

/**
 * Lets the event loop turn when a stretch of synchronous work has lasted long enough.
 *
 * ```ts
 * const breathe = breather()
 * for (const text of texts) { work(text); await breathe() }
 * ```
 */
export function breather(): () => Promise<void> | undefined {
  let last = performance.now()
  return () => {
    if (performance.now() - last < STRETCH) return undefined
    return setImmediate().then(() => {
      last = performance.now()
    })
  }
}
