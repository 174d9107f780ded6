// The fingerprint of a model that was changed.
import { createHash } from 'node:crypto'

/** The fingerprint of what a model became by a change of its graph. */
export function derivedFingerprint(base: string, change: string): string {
  return createHash('sha256').update(`${base}:${change}`).digest('hex').slice(0, 32)
}
