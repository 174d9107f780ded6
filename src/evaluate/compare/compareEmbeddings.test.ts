import { expect, it } from 'vitest'
import { seeded } from '../../nn/index.ts'
import { compareEmbeddings } from './compareEmbeddings.ts'

const random = seeded(1, 'compare test')
const vectors = Array.from({ length: 60 }, () => Float32Array.from({ length: 8 }, () => random.normal()))

it('An embedding turned in space and scaled is the same; another has nothing to do with it.', async () => {
  // A reflection: cosines stay.
  const turned = vectors.map((vector) => vector.map((value, i) => (i === 0 ? -3 : 3) * value))
  const same = await compareEmbeddings(vectors, turned, { k: 5 })
  expect(same).toMatchObject({ kept: 1, nearest: 1 })
  expect(same.correlation).toBeCloseTo(1, 6)
  const other = Array.from({ length: 60 }, () => Float32Array.from({ length: 3 }, () => random.normal()))
  const unlike = await compareEmbeddings(vectors, other, { k: 5 })
  expect(unlike.kept).toBeLessThan(0.3)
  expect(Math.abs(unlike.correlation)).toBeLessThan(0.2)
})

it('The input that moved is among the first, with its neighbours by both.', async () => {
  const moved = vectors.map((vector, i) => (i === 17 ? vectors[3]!.map((value) => value + 0.01) : vector))
  const { inputs, kept } = await compareEmbeddings(vectors, moved, { k: 3 })
  const own = inputs.find(({ index }) => index === 17)!
  expect(own.kept).toBe(inputs[0]!.kept)
  expect(own.b[0]).toBe(3)
  expect(own.a).not.toContain(17)
  expect(kept).toBeGreaterThan(0.8)
  const few = await compareEmbeddings(vectors, moved, { k: 3, pairs: 500 })
  expect(few).toEqual(await compareEmbeddings(vectors, moved, { k: 3, pairs: 500 }))
})

it('Lists of unlike lengths, too few inputs and NaN are refused.', async () => {
  await expect(compareEmbeddings(vectors, vectors.slice(1))).rejects.toThrow(/belong together/)
  await expect(compareEmbeddings(vectors.slice(0, 5), vectors.slice(0, 5))).rejects.toThrow(
    /no 10 neighbours/,
  )
  const broken = [...vectors.slice(0, -1), new Float32Array(8).fill(Number.NaN)]
  await expect(compareEmbeddings(broken, vectors)).rejects.toThrow(/Row 59 of a holds NaN/)
})
