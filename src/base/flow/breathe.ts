// Breaks that let the event loop turn between stretches of work.

/** Longest stretch of work in milliseconds before other events get their turn. */
const STRETCH = 6

/** When the work of this turn of the event loop began; undefined when nobody has worked in it yet. */
let began: number | undefined
let turning: Promise<void> | undefined

/**
 * Lets the event loop turn when the work since its last turn, all callers together, has lasted long enough: a promise then, otherwise
 * undefined.
 *
 * @example
 * ```ts
 * for (const text of texts) { await breathe(); work(text) }
 * ```
 */
export function breathe(): Promise<void> | undefined {
  const now = performance.now()
  began ??= now
  const next = turn()
  return now - began < STRETCH ? undefined : next
}

/** Resolves when the event loop has turned; the same promise for all who ask before. */
export function turn(): Promise<void> {
  turning ??= new Promise((resolve) =>
    later(() => {
      began = undefined
      turning = undefined
      resolve()
    }),
  )
  return turning
}

/** Calls after the events that are there already; a timer would wait for its least time. */
function later(callback: () => void): void {
  if (typeof setImmediate === 'function') {
    setImmediate(callback)
    return
  }
  const { port1, port2 } = new MessageChannel()
  const received = () => {
    port1.close()
    callback()
  }
  port1.addEventListener('message', received, { once: true })
  port1.start()
  port2.postMessage(undefined)
}
