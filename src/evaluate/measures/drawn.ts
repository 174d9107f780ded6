// Draws without repetition.

/** Some of a list, drawn, and the others. */
export function drawn<T>(
  list: readonly T[],
  count: number,
  uniform: () => number,
): { chosen: T[]; rest: T[] } {
  const order = [...list]
  for (let i = 0; i < count; i++) {
    const other = i + Math.floor(uniform() * (order.length - i))
    ;[order[i], order[other]] = [order[other]!, order[i]!]
  }
  return { chosen: order.slice(0, count), rest: order.slice(count) }
}
