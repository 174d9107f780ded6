import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { seeded } from '../../nn/index.ts'
import { l2Normalize, type Matrix, row, topK } from '../../tensor/index.ts'
import { compareQuantized, loadQuantized, loadReducer, quantize } from '../index.ts'
import { digits, reference, some } from '../testing/reference.ts'

const centred = { ...digits, data: digits.data.map((x) => x - 8) }

/** Vectors of length 1 around some middles, as embeddings lie. */
function grouped(rows: number, columns: number): Matrix {
  const random = seeded(1, 'test')
  const middles = new Float32Array(20 * columns).map(() => random.normal())
  const data = new Float32Array(rows * columns).map(
    (_, at) => middles[(Math.floor(at / columns) % 20) * columns + (at % columns)]! + random.normal(),
  )
  const matrix = { rows, columns, data }
  for (let i = 0; i < rows; i++) l2Normalize(row(matrix, i), row(matrix, i))
  return matrix
}

describe('quantize', () => {
  it('gives the codes of sentence-transformers', async () => {
    const int8 = await quantize(some(centred, 0, 200), 'int8')
    expect([...int8.encode(some(centred, 200, 203))]).toEqual(reference.quantize.int8.flat())
    const calibrated = await quantize(some(centred, 200, 203), 'int8', { calibration: some(centred, 0, 200) })
    expect([...calibrated.codes]).toEqual(reference.quantize.int8.flat())
    const binary = await quantize(some(centred, 0, 3), 'binary')
    expect([...binary.codes]).toEqual(reference.quantize.ubinary.flat())
    expect([int8.bytesPerVector, binary.bytesPerVector, binary.dimensions]).toEqual([64, 8, 64])
  })

  it('finds with rescoring what floats find, in their order and with their scores', async () => {
    const vectors = grouped(800, 100)
    const queries = some(vectors, 0, 10)
    for (const [precision, oversampling] of [
      ['int8', 2],
      ['binary', 20],
    ] as const) {
      const found = await (await quantize(vectors, precision)).search(queries, {
        k: 5,
        rescore: vectors,
        oversampling,
      })
      for (const [i, hits] of found.entries()) {
        const wanted = topK(row(queries, i), vectors, 5)
        expect(hits.map(({ index }) => index)).toEqual(wanted.map(({ index }) => index))
        for (const [at, { score }] of hits.entries()) expect(score).toBeCloseTo(wanted[at]!.score, 5)
      }
    }
    const small = await quantize(vectors, 'int8')
    const [best] = await small.search(row(vectors, 7), { k: 1 })
    expect(best!.index).toBe(7)
    expect(best!.score).toBeCloseTo(1, 1)
  })

  it('compares sizes and recalls', async () => {
    const vectors = grouped(600, 128)
    const rows = await compareQuantized(vectors, some(vectors, 0, 40), { k: 10 })
    expect(
      rows.map(({ precision, rescored, bytesPerVector }) => [precision, rescored, bytesPerVector]),
    ).toEqual([
      ['float32', false, 512],
      ['int8', false, 128],
      ['int8', true, 128],
      ['binary', false, 16],
      ['binary', true, 16],
    ])
    const [float, int8, int8Again, binary, binaryAgain] = rows.map(({ recall }) => recall)
    expect(float).toBe(1)
    expect(int8).toBeGreaterThan(0.9)
    expect(int8Again).toBe(1)
    expect(binary).toBeGreaterThan(0.2)
    expect(binaryAgain).toBeGreaterThan(binary! + 0.1)
  })

  it('keeps the places of vectors that were given, leaves out NaN, and is saved', async () => {
    const holed = { ...centred, data: centred.data.slice() }
    holed.data[0] = Number.NaN
    await expect(quantize(holed, 'int8')).rejects.toMatchObject({ code: 'INPUT_INVALID', input: 0 })
    const folder = await mkdtemp(join(tmpdir(), 'pipilo-quantized-'))
    try {
      for (const precision of ['int8', 'binary'] as const) {
        const small = await quantize(holed, precision, { onError: 'skip' })
        expect([small.rows, small.skipped]).toEqual([299, 1])
        const query = row(centred, 5)
        const hits = await small.search(query, { k: 3, rescore: holed })
        expect(hits[0]!.score).toBeCloseTo(
          query.reduce((sum, x) => sum + x * x, 0),
          0,
        )
        const path = join(folder, 'vectors.safetensors')
        await small.save(path)
        const loaded = await loadQuantized(path)
        expect(loaded).toEqual(small)
        expect(await loaded.search(query, { k: 3, rescore: holed })).toEqual(hits)
        await expect(loadReducer(path)).rejects.toMatchObject({ code: 'FORMAT_UNSUPPORTED' })
      }
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('answers bad input with an error that says what is wrong', async () => {
    await expect(quantize([], 'int8')).rejects.toThrow('There are 0 vectors')
    await expect(quantize(digits, 'int4' as 'int8')).rejects.toThrow("precision is 'int4'")
    await expect(quantize(digits, 'binary', { calibration: digits })).rejects.toThrow(
      'no ranges to calibrate',
    )
    await expect(quantize(digits, 'int8', { calibration: [[1]] })).rejects.toMatchObject({
      code: 'DIMENSION_MISMATCH',
    })
    const small = await quantize(digits, 'int8')
    await expect(small.search([[1, 2]])).rejects.toThrow('Rows have 2 numbers; the reducer takes 64')
    await expect(small.search(digits, { k: 0 })).rejects.toThrow('k is 0')
    await expect(small.search(digits, { rescore: some(digits, 0, 3) })).rejects.toThrow(
      'rescore has 3 vectors of 64; 300 of 64 were quantized',
    )
    await expect(small.search(digits, { oversampling: 0.5 })).rejects.toThrow('oversampling is 0.5')
    // A dimension that is constant has one step, and numbers beyond the ranges become their ends.
    const constant = await quantize(
      [
        [1, 0],
        [1, 255],
      ],
      'int8',
    )
    expect([...constant.codes]).toEqual([-128, -128, -128, 127])
    expect([...constant.encode([[-5, 700]])]).toEqual([-128, 127])
  })
})
