// Seeded random numbers, equal on every platform.

/**
 * A seeded generator of random numbers: xoshiro128** (https://prng.di.unimi.it) with its state filled by SplitMix32 from a
 * hash (FNV-1a) of the seed and a name. Equal seeds and names give equal numbers on every platform; which other
 * names were drawn, and in which order, does not matter.
 */
export interface Random {
  /** Uniform in [0, 1), 24 bits: a float32 holds it exactly. */
  uniform(): number
  /** From the normal distribution with mean 0 and deviation 1, by Box and Muller's method. */
  normal(): number
}

/**
 * The generator of a seed and a name.
 *
 * @example
 * ```ts
 * const random = seeded(42, 'encoder.layer.0.attention.self.query.weight')
 * random.uniform()
 * ```
 */
export function seeded(seed: number, name = ''): Random {
  let state = hash(`${seed}/${name}`)
  const split = () => {
    state = (state + 0x9e3779b9) | 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
    return z ^ (z >>> 16)
  }
  let [a, b, c, d] = [split(), split(), split(), split()]
  const rotate = (x: number, k: number) => (x << k) | (x >>> (32 - k))
  const next = () => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9)
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = rotate(d, 11)
    return result >>> 0
  }
  const uniform = () => (next() >>> 8) / 2 ** 24
  let spare: number | undefined
  const normal = () => {
    if (spare !== undefined) {
      const value = spare
      spare = undefined
      return value
    }
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()))
    const angle = 2 * Math.PI * uniform()
    spare = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }
  return { uniform, normal }
}

function hash(text: string): number {
  let value = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 0x01000193)
  return value
}
