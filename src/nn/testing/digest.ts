/** For this room's tests: comparing values with what is kept of a reference's. */
import { expect } from 'vitest'
import type { Tensor } from '../../tensor/index.ts'

/** Shape, root mean square and every `step`-th element of a value. */
export interface Digest {
  readonly shape: number[]
  readonly rms: number
  readonly step: number
  readonly values: number[]
}

/** Expects the reference's numbers: within 1e-4 of the root mean square, or of the number where that is larger. */
export function expectDigest({ shape, data }: Tensor, digest: Digest, place: string): void {
  expect(shape, place).toEqual(digest.shape)
  const values = data as Float32Array
  const rms = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length)
  expect(Math.abs(rms / digest.rms - 1), `${place}: root mean square`).toBeLessThan(2e-5)
  for (const [i, value] of digest.values.entries()) {
    const difference = Math.abs(values[i * digest.step]! - value)
    expect(difference, `${place}: element ${i * digest.step}`).toBeLessThan(
      1e-4 * Math.max(rms, Math.abs(value)),
    )
  }
}
