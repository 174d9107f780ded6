import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from './halves.ts'

const every = Uint16Array.from({ length: 65_536 }, (_, i) => i)

/** The value of a float16 pattern by the definition of the format. */
function float16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

describe('float16', () => {
  it('decodes all patterns to their values', () => {
    expect(Array.from(float16ToFloat32(every))).toEqual(Array.from(every, float16Value))
  })

  it('encodes every value that it decodes to the same pattern', () => {
    const patterns = float32ToFloat16(float16ToFloat32(every))
    const wrong = every.filter((bits) => patterns[bits] !== ((bits & 0x7fff) > 0x7c00 ? bits | 0x200 : bits))
    expect(Array.from(wrong)).toEqual([])
  })

  it('rounds between all neighbours to the nearest, ties to even', () => {
    const values = float16ToFloat32(every)
    const wrong: number[] = []
    for (const sign of [0, 0x8000]) {
      for (let magnitude = 0; magnitude < 0x7bff; magnitude++) {
        const [low, high] = [sign + magnitude, sign + magnitude + 1]
        const [a, b] = [values[low]!, values[high]!]
        const middle = (a + b) / 2
        const inputs = Float32Array.of(middle, (a + 3 * b) / 4, (3 * a + b) / 4)
        const even = magnitude % 2 === 0 ? low : high
        if (float32ToFloat16(inputs).join() !== [even, high, low].join()) wrong.push(low)
      }
    }
    expect(wrong).toEqual([])
  })

  it('overflows to infinity from halfway beyond the largest, and keeps tiny numbers apart from zero', () => {
    const inputs = Float32Array.of(
      65_519.99,
      65_520,
      1e30,
      -1e30,
      Number.POSITIVE_INFINITY,
      2 ** -25,
      2 ** -25 * 1.001,
    )
    expect(Array.from(float32ToFloat16(inputs))).toEqual([0x7bff, 0x7c00, 0x7c00, 0xfc00, 0x7c00, 0, 1])
  })
})

describe('bfloat16', () => {
  it('goes there and back for all patterns', () => {
    const patterns = float32ToBfloat16(bfloat16ToFloat32(every))
    const wrong = every.filter((bits) => patterns[bits] !== ((bits & 0x7fff) > 0x7f80 ? bits | 0x40 : bits))
    expect(Array.from(wrong)).toEqual([])
  })

  it('decodes to the upper half of a float32', () => {
    expect(Array.from(bfloat16ToFloat32(Uint16Array.of(0x3f80, 0xc000, 0x7f80, 1)))).toEqual([
      1,
      -2,
      Number.POSITIVE_INFINITY,
      2 ** -133,
    ])
  })

  it('rounds to the nearest, ties to even', () => {
    const values = bfloat16ToFloat32(every)
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0x7f7e }), fc.constantFrom(0, 0x8000), (magnitude, sign) => {
        const [low, high] = [sign + magnitude, sign + magnitude + 1]
        const [a, b] = [values[low]!, values[high]!]
        const even = magnitude % 2 === 0 ? low : high
        const inputs = Float32Array.of(a / 2 + b / 2, a / 4 + b * 0.75, a * 0.75 + b / 4)
        expect(Array.from(float32ToBfloat16(inputs))).toEqual([even, high, low])
      }),
      { numRuns: 2000 },
    )
  })
})
