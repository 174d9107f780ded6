import { describe, expect, it } from 'vitest'
import { byteLength, bytesPerElement, elementCount, typedArray } from './dtypes.ts'
import { tensor } from './make.ts'

describe('dtypes', () => {
  it('know their sizes', () => {
    expect(
      ['float32', 'float16', 'int64', 'complex128', 'bool', 'int4'].map((d) => bytesPerElement(d as 'bool')),
    ).toEqual([4, 2, 8, 16, 1, 0.5])
    expect(byteLength('int4', 3)).toBe(2)
    expect(byteLength('float6e2m3', 5)).toBe(4)
    expect(elementCount([2, 3])).toBe(6)
    expect(() => bytesPerElement('string')).toThrow(expect.objectContaining({ code: 'DTYPE_MISMATCH' }))
  })

  it('share aligned memory and copy the rest', () => {
    const bytes = new Uint8Array(16)
    const aligned = typedArray('float32', bytes.subarray(4, 12))
    expect(aligned.buffer).toBe(bytes.buffer)
    bytes.set([0, 0, 128, 63], 1)
    expect(Array.from(typedArray('float32', bytes.subarray(1, 5)) as Float32Array)).toEqual([1])
    expect(() => typedArray('float32', bytes.subarray(0, 3))).toThrow(
      expect.objectContaining({ code: 'INPUT_INVALID' }),
    )
  })
})

describe('tensor', () => {
  it('converts plain numbers and keeps typed arrays', () => {
    expect(tensor('int64', [2], [1, 2n]).data).toEqual(BigInt64Array.of(1n, 2n))
    expect(tensor('bool', [2], [true, false]).data).toEqual(Uint8Array.of(1, 0))
    expect(tensor('complex64', [1], [1, 2]).data).toEqual(Float32Array.of(1, 2))
    const data = Float32Array.of(1, 2)
    expect(tensor('float32', [2, 1], data).data).toBe(data)
    expect(tensor('string', [1], ['a']).data).toEqual(['a'])
  })

  it.each([
    ['SHAPE_MISMATCH', () => tensor('float32', [3], [1, 2])],
    ['SHAPE_MISMATCH', () => tensor('float32', [-1], [])],
    ['SHAPE_MISMATCH', () => tensor('string', [2], ['a'])],
    ['DTYPE_MISMATCH', () => tensor('float32', [1], Float64Array.of(1))],
    ['DTYPE_MISMATCH', () => tensor('float32', [1], ['a'])],
    ['DTYPE_MISMATCH', () => tensor('string', [1], [1])],
  ])('refuses with %s', (code, make) => {
    expect(make).toThrow(expect.objectContaining({ code }))
  })
})
