/**
 * 16-bit floats as the bit patterns in a Uint16Array, to and from float32.
 *
 * float16 is IEEE 754 binary16; bfloat16 is the upper half of a float32. Rounding is to nearest, ties to even.
 */

const word = new Uint32Array(1)
const float = new Float32Array(word.buffer)

/** The 65,536 float16 values, as bits of float32; made at first use (under a millisecond). */
let decoded: Uint32Array | undefined

function decodeTable(): Uint32Array {
  const table = new Uint32Array(65_536)
  for (let half = 0; half < 65_536; half++) {
    const sign = (half & 0x8000) << 16
    const exponent = (half >> 10) & 0x1f
    const fraction = half & 0x3ff
    if (exponent === 0) {
      float[0] = fraction * 2 ** -24 // zero or subnormal: exact in float32
      table[half] = sign | word[0]!
    } else if (exponent === 31) table[half] = sign | 0x7f80_0000 | (fraction << 13)
    else table[half] = sign | ((exponent + 112) << 23) | (fraction << 13)
  }
  return table
}

/** float16 bit patterns to float32; exact, NaN payloads kept. `out` may be given to reuse memory. */
export function float16ToFloat32(halves: Uint16Array, out = new Float32Array(halves.length)): Float32Array {
  decoded ??= decodeTable()
  const bits = new Uint32Array(out.buffer, out.byteOffset, out.length)
  for (let i = 0; i < halves.length; i++) bits[i] = decoded[halves[i]!]!
  return out
}

/** float32 to float16 bit patterns: round to nearest even, beyond 65,504 to infinity, NaN stays NaN. */
export function float32ToFloat16(floats: Float32Array, out = new Uint16Array(floats.length)): Uint16Array {
  const bits = new Uint32Array(floats.buffer, floats.byteOffset, floats.length)
  for (let i = 0; i < bits.length; i++) out[i] = halfOf(bits[i]!)
  return out
}

function halfOf(bits: number): number {
  const sign = (bits >>> 16) & 0x8000
  const magnitude = bits & 0x7fff_ffff
  if (magnitude > 0x7f80_0000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff)
  if (magnitude >= 0x4780_0000) return sign | 0x7c00 // 65,536 and more
  if (magnitude >= 0x3880_0000) {
    // Adding just under half of the last kept bit, and that bit's own value for ties, carries into the exponent as it should.
    return sign | ((magnitude - 0x3800_0000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13)
  }
  if (magnitude < 0x3300_0000) return sign // below half of the smallest subnormal
  const shift = 126 - (magnitude >>> 23)
  const fraction = (magnitude & 0x7f_ffff) | 0x80_0000
  const half = fraction >>> shift
  const rest = fraction & ((1 << shift) - 1)
  const tie = 1 << (shift - 1)
  return sign | (half + (rest > tie || (rest === tie && half & 1) ? 1 : 0))
}

/** bfloat16 bit patterns to float32; exact. `out` may be given to reuse memory. */
export function bfloat16ToFloat32(halves: Uint16Array, out = new Float32Array(halves.length)): Float32Array {
  const bits = new Uint32Array(out.buffer, out.byteOffset, out.length)
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16
  return out
}

/** float32 to bfloat16 bit patterns: round to nearest even, NaN stays NaN. */
export function float32ToBfloat16(floats: Float32Array, out = new Uint16Array(floats.length)): Uint16Array {
  const bits = new Uint32Array(floats.buffer, floats.byteOffset, floats.length)
  for (let i = 0; i < bits.length; i++) {
    const value = bits[i]!
    const nan = (value & 0x7fff_ffff) > 0x7f80_0000
    out[i] = nan ? (value >>> 16) | 0x40 : (value + 0x7fff + ((value >>> 16) & 1)) >>> 16
  }
  return out
}
