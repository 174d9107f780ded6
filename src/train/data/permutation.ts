// Random orders that are computed place by place, so that none is ever stored.
import { seeded } from '../../nn/index.ts'

const ROUNDS = 8

/**
 * A random order of the numbers below `length`: gives the number at a place, in constant time and memory.
 *
 * @example
 * ```ts
 * const order = permutation(60_000, 42, 'epoch 3')
 * order(0)      // the first sample; order(59_999) the last, and each number once
 * ```
 *
 * @remarks
 * A Feistel network over the next power of four, whose values beyond `length` are put through it again. Training can go on in the middle of
 * an epoch of any size without a list of the order, nor going through what came before.
 *
 * @param name tells orders of one seed apart
 * @see https://web.cs.ucdavis.edu/~rogaway/papers/finance-old.pdf cycle walking
 */
export function permutation(length: number, seed: number, name: string): (place: number) => number {
  let bits = 1
  while (4 ** bits < length) bits++
  const half = 2 ** bits
  const random = seeded(seed, name)
  const keys = Array.from(
    { length: ROUNDS },
    () => [bits24(random.uniform()), bits24(random.uniform())] as const,
  )
  const once = (value: number): number => {
    let left = Math.floor(value / half)
    let right = value % half
    for (const [a, b] of keys) {
      const next = (left ^ mixed(right, a, b)) & (half - 1)
      left = right
      right = next
    }
    return left * half + right
  }
  return (place) => {
    let value = once(place)
    while (value >= length) value = once(value)
    return value
  }
}

const bits24 = (uniform: number): number => uniform * 2 ** 24

/** Mixes 32 bits as MurmurHash3 ends. */
function mixed(value: number, a: number, b: number): number {
  let z = Math.imul(value ^ a, 0x9e3779b1) ^ (b << 8)
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
  return z ^ (z >>> 16)
}
