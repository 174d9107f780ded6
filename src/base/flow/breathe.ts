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
    return turn().then(() => {
      last = performance.now()
    })
  }
}

/** Resolves when the event loop has turned; a timer would wait for its least time. */
function turn(): Promise<void> {
  if (typeof setImmediate === 'function') return new Promise((resolve) => setImmediate(resolve))
  const { port1, port2 } = new MessageChannel()
  return new Promise((resolve) => {
    const received = () => {
      port1.close()
      resolve()
    }
    port1.addEventListener('message', received, { once: true })
    port1.start()
    port2.postMessage(undefined)
  })
}
