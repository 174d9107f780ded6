import type { Unit } from './preparation.ts'

/**
 * Packs units into batches of about equal lengths, longest first, so that little is padding and the largest batches do not come last.
 * @param budget tokens in a batch, padding included; a longer unit is a batch of its own
 */
export function packByLength(units: readonly Unit[], budget: number): Unit[][] {
  const sorted = [...units].sort((a, b) => b.size - a.size)
  const batches: Unit[][] = []
  for (let start = 0; start < sorted.length; ) {
    const most = Math.max(1, Math.floor(budget / Math.max(1, sorted[start]!.size)))
    batches.push(sorted.slice(start, start + most))
    start += most
  }
  return batches
}

/** Packs units in the order they have, `count` at a time. */
export function packInOrder(units: readonly Unit[], count: number): Unit[][] {
  const batches: Unit[][] = []
  for (let start = 0; start < units.length; start += count) batches.push(units.slice(start, start + count))
  return batches
}
