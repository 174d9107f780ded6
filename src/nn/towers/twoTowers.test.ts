import { expect, it } from 'vitest'
import { tensor } from '../../tensor/index.ts'
import { scalarOf } from './twoTowers.ts'

it('reads a scale of any float, and refuses what is none', () => {
  expect(scalarOf(tensor('float32', [], [1.5]))).toBe(1.5)
  expect(scalarOf(tensor('float64', [1], [1.5]))).toBe(1.5)
  expect(scalarOf({ dtype: 'float16', shape: [], data: Uint16Array.of(0x3e00) })).toBe(1.5)
  expect(scalarOf({ dtype: 'bfloat16', shape: [], data: Uint16Array.of(0x3fc0) })).toBe(1.5)
  for (const dtype of ['float8e4m3fn', 'int8', 'bool', 'uint8'] as const)
    expect(() => scalarOf({ dtype, shape: [], data: Uint8Array.of(2) })).toThrow(/weights are floats/)
})
