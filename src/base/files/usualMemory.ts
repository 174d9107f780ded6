// How much memory a process may take of the machine's.
import { totalmem } from 'node:os'

/** Three quarters of the machine's memory, or of the container's, in bytes. */
export function usualMemory(): number {
  const container = process.constrainedMemory?.() || Number.POSITIVE_INFINITY
  return Math.floor(0.75 * Math.min(container, totalmem()))
}
