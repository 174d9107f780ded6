import { expect, it } from 'vitest'
import { readDataset } from '../embed/index.ts'
import { openBatches } from './batches.ts'
import { classification, freshNetwork, triplets } from './index.ts'
import { picture } from './testing/data.ts'

const network = freshNetwork('lenet', { config: { num_classes: 3 } })

/** Pictures in the order of their classes, as folders by class have them. */
const byClass = (...counts: number[]) =>
  readDataset(
    counts.flatMap((count, label) => Array.from({ length: count }, (_, i) => ({ image: picture(i), label }))),
  )

async function open(counts: number[], batch: number, validation?: number[]) {
  const data = await byClass(...counts)
  const held = validation && (await byClass(...validation))
  return openBatches({ network, objective: triplets(), data, batch, ...(held && { validation: held }) })
}

it('validates what compares classes on batches of several, in the same order each time', async () => {
  const source = await open([12, 12], 8, [16, 16])
  const labels = async () => {
    const found: number[][] = []
    for await (const { rows } of source.validation(8)) found.push(rows.map(({ label }) => label!))
    return found
  }
  const first = await labels()
  expect(first).toHaveLength(4)
  for (const each of first) expect(new Set(each).size).toBe(2)
  expect(await labels()).toEqual(first)
  await source.close()
})

it('validates all else in the order of the rows', async () => {
  const [data, validation] = [await byClass(6, 6), await byClass(4, 4)]
  const source = await openBatches({ network, objective: classification(), data, validation, batch: 4 })
  const found: number[] = []
  for await (const { indices } of source.validation(4)) found.push(...indices)
  expect(found).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  await source.close()
})

it.each([
  ['two classes', [40, 40], 64, 64],
  ['three classes, which ten rows do not fill evenly', [10, 10, 10], 10, 9],
  ['a class with fewer rows than a batch has of it', [40, 3], 32, 32],
] as const)('keeps the batch that was asked for: %s', async (_, counts, batch, rows) => {
  const source = await open([...counts], batch)
  expect(source.batch).toBe(rows)
  for await (const one of source.epoch(0, 0)) {
    expect(one.rows).toHaveLength(rows)
    expect(new Set(one.rows.map(({ label }) => label)).size).toBe(counts.length)
    break
  }
  await source.close()
})

it('names a class of which there is one row', async () => {
  await expect(open([6, 1], 4)).rejects.toMatchObject({
    code: 'INPUT_INVALID',
    message: expect.stringMatching(/class .* has one row; .* needs two of a class/),
  })
})
