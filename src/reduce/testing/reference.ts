// Digits and the numbers that the references give for them; made by testdata/reference.py.
import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import type { Matrix } from '../../tensor/index.ts'

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../testdata/${name}`, import.meta.url), 'utf8'))

const { rows, columns, data, labels: given } = read('digits.json')

/** 300 digits of 8 × 8. */
export const digits: Matrix = { rows, columns, data: Float32Array.from(Buffer.from(data, 'base64')) }

export const labels: readonly number[] = given

/** Numbers of the references; see the script for their names. */
export const reference = read('reducers.json')

/** Some rows of a matrix. */
export function some({ columns, data }: Matrix, from: number, to: number): Matrix {
  return { rows: to - from, columns, data: data.slice(from * columns, to * columns) }
}

/** Largest difference of two lists, as a share of the largest number; `signs`: columns may have another sign. */
export function difference(got: ArrayLike<number>, wanted: readonly number[], signsOf?: number): number {
  expect(got.length).toBe(wanted.length)
  const scale = Math.max(...wanted.map(Math.abs))
  const signs = new Map<number, number>()
  if (signsOf !== undefined) {
    for (let at = 0; at < wanted.length; at++) {
      const column = at % signsOf
      if (!signs.has(column) && Math.abs(wanted[at]!) > 1e-3 * scale)
        signs.set(column, Math.sign(wanted[at]! * got[at]!))
    }
  }
  let most = 0
  for (let at = 0; at < wanted.length; at++) {
    const sign = signsOf === undefined ? 1 : (signs.get(at % signsOf) ?? 1)
    most = Math.max(most, Math.abs(sign * got[at]! - wanted[at]!))
  }
  return most / scale
}
