/** Objectives of sentences: at step 0 the loss is the loss function's value on the model's own embeddings, and some steps lower it. */
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Dataset, embedder, readDataset } from '../../embed/index.ts'
import { Builder, type Value } from '../../graph/index.ts'
import { evaluate } from '../../runtime/index.ts'
import { tensor } from '../../tensor/index.ts'
import {
  contrastive,
  labelledPairs,
  type Network,
  type Objective,
  openedNetwork,
  singleTexts,
  textTriplets,
  train,
  trainingRecipe,
  tripletLoss,
} from '../index.ts'

const model = fileURLToPath(new URL('../../models/testdata/sentence-transformers', import.meta.url))
// Words of the model's vocabulary: others are read letter by letter.
const things = ['birds sing', 'football', 'the bird', 'query']
const pairs = things.map((thing, i) => ({
  sentence1: thing,
  sentence2: i % 2 === 0 ? `${thing}.` : `document: ${things[(i + 1) % 4]}`,
  label: i % 2 === 0 ? 1 : 0,
}))
const triplets = things.map((thing, i) => ({
  anchor: thing,
  positive: `${thing}.`,
  negative: things[(i + 1) % 4]!,
}))

let network: Network
/** Vectors of texts, not normalised. */
let vectors: (texts: readonly string[]) => Promise<Float32Array[]>
beforeAll(async () => {
  network = await openedNetwork(model)
  const e = await embedder(model, { normalize: false })
  vectors = async (texts) => (await e.embed(texts)).vectors
})

const rows = (given: readonly object[]) => readDataset(given) as Promise<Dataset>

/** Losses of the first step and of the last, without dropout. */
async function losses(objective: Objective, data: Dataset): Promise<{ first: number; last: number }> {
  const { history } = await train({
    network: { ...network, training: network.inference },
    objective,
    data,
    batch: 4,
    epochs: 9,
    optimizer: { kind: 'adam', lr: 3e-3 },
    threads: 1,
  })
  const [first, last] = [history[0]!, history.at(-1)!].map(({ numbers }) => numbers['loss']!)
  return { first: first!, last: last! }
}

/** A loss on vectors of these columns. */
async function lossOf(
  given: readonly Readonly<Record<string, string | number>>[],
  columns: readonly string[],
  loss: (values: readonly Value[], builder: Builder) => Value,
): Promise<number> {
  const builder = new Builder({ name: 'loss' })
  const values: Value[] = []
  for (const column of columns) {
    const found = await vectors(given.map((row) => String(row[column])))
    const data = Float32Array.from(found.flatMap((one) => [...one]))
    values.push(builder.constant(tensor('float32', [found.length, found[0]!.length], data)))
  }
  builder.output('loss', loss(values, builder))
  return Number((await evaluate(builder.build(), {}))['loss']!.data[0])
}

describe('labelled pairs', () => {
  it('begin with the contrastive loss of their embeddings, and lower it', async () => {
    const { first, last } = await losses(labelledPairs({ margin: 0.8 }), await rows(pairs))
    const wanted = await lossOf(pairs, ['sentence1', 'sentence2'], ([a, b], builder) => {
      const labels = builder.constant(tensor('int64', [4], [1, 0, 1, 0]))
      return contrastive(a!, b!, labels, { margin: 0.8 })
    })
    expect(first).toBeCloseTo(wanted, 6)
    expect(last).toBeLessThan(first * 0.9)
  })

  it('refuse labels other than 0 and 1', async () => {
    const named = await rows(pairs.map((row) => ({ ...row, label: row.label ? 'match' : 'other' })))
    await expect(train({ network, objective: labelledPairs(), data: named })).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      input: 'label',
      message: expect.stringMatching(/match, other/),
    })
    const three = await rows(pairs.map((row, label) => ({ ...row, label })))
    await expect(train({ network, objective: labelledPairs(), data: three })).rejects.toMatchObject({
      code: 'INPUT_INVALID',
    })
    const none = await rows(pairs.map(({ sentence1, sentence2 }) => ({ sentence1, sentence2 })))
    await expect(train({ network, objective: labelledPairs(), data: none })).rejects.toMatchObject({
      message: expect.stringMatching(/no column label/),
    })
  })
})

describe('triplets of texts', () => {
  it('begin with the triplet loss of their embeddings, and lower it', async () => {
    const options = { margin: 1, distance: 'cosine' } as const
    const { first, last } = await losses(textTriplets(options), await rows(triplets))
    const wanted = await lossOf(triplets, ['anchor', 'positive', 'negative'], ([a, p, n]) =>
      tripletLoss(a!, p!, n!, options),
    )
    expect(first).toBeCloseTo(wanted, 6)
    expect(last).toBeLessThan(first * 0.9)
  })
})

describe('several widths', () => {
  it.each([
    ['labelled pairs', labelledPairs, pairs],
    ['triplets', textTriplets, triplets],
    ['single texts', singleTexts, things.map((text) => ({ text }))],
  ] as const)('of %s are trained as one', async (_, objective, given) => {
    const data = await rows(given)
    const run = async (dims?: readonly number[]) =>
      train({
        network,
        objective: objective({ ...(dims && { dims }) }),
        data,
        batch: 4,
        epochs: 1,
        threads: 1,
      })
    const [whole, both] = [await run(), await run([4, 8])]
    expect(both.history[0]!.numbers['loss']).not.toBeCloseTo(whole.history[0]!.numbers['loss']!, 3)
    await expect(run([0])).rejects.toMatchObject({ code: 'OPTION_INVALID' })
  })
})

describe('the recipe sentences', () => {
  const choices = async (given: readonly object[], loss?: string) => ({
    data: await rows(given),
    epochs: 1,
    batch: 4,
    lr: 1e-3,
    seed: 0,
    model,
    ...(loss !== undefined && { loss }),
  })
  const nameOf = async (given: readonly object[], loss?: string) =>
    (await trainingRecipe('sentences').prepare(await choices(given, loss))).objective.name

  it('chooses by the columns and by the loss that is named', async () => {
    expect(await nameOf(pairs)).toBe('labelled pairs')
    expect(await nameOf(triplets)).toBe('ranked pairs')
    expect(await nameOf(triplets, 'triplet')).toBe('text triplets')
    await expect(nameOf(pairs, 'triplet')).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  })
})
