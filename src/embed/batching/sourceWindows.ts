// Cuts a source of inputs into windows that are prepared together.
/** How long in milliseconds a window waits for a slow source before it goes as it is. */
const PATIENCE = 20

export interface WindowLimits<I> {
  readonly count: number
  readonly weight: number
  readonly weigh: (input: I) => number
}

/**
 * Cuts a source into arrays of at most `count` inputs that together weigh not much more than `weight`. The source is asked for
 * more only when the next window is.
 */
export async function* windows<I>(
  source: AsyncIterable<I> | Iterable<I>,
  { count, weight, weigh }: WindowLimits<I>,
): AsyncGenerator<I[]> {
  let window: I[] = []
  let sum = 0
  const full = (input: I): boolean => {
    window.push(input)
    sum += weigh(input)
    return window.length >= count || sum >= weight
  }
  const take = (): I[] => {
    const taken = window
    window = []
    sum = 0
    return taken
  }
  if (Symbol.iterator in source) {
    for (const input of source) if (full(input)) yield take()
    if (window.length > 0) yield window
    return
  }
  const iterator = source[Symbol.asyncIterator]()
  let pending: Promise<IteratorResult<I>> | undefined
  let ended = false
  try {
    while (!ended) {
      let late: Promise<'late'> | undefined
      for (;;) {
        pending ??= iterator.next()
        const result = await (late ? Promise.race([pending, late]) : pending)
        if (result === 'late') break
        pending = undefined
        if (result.done) {
          ended = true
          break
        }
        if (full(result.value)) break
        late ??= patience()
      }
      if (window.length > 0) yield take()
    }
  } catch (error) {
    ended = true
    throw error
  } finally {
    if (!ended) {
      // The source may be in the middle of a `next` that never ends: nobody waits for it.
      pending?.catch(() => {})
      iterator.return?.()?.catch(() => {})
    }
  }
}

/** Resolves when a slow source has had its time; no program stays for that alone. */
function patience(): Promise<'late'> {
  return new Promise((resolve) => {
    const timer: unknown = setTimeout(resolve, PATIENCE, 'late')
    // A browser's timer is a number.
    if (typeof timer === 'object') (timer as NodeJS.Timeout).unref()
  })
}
