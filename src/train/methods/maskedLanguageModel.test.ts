/** Masked language modelling: loss and gradients are those of transformers' BertForMaskedLM (testdata/masked_language_reference.py). */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Dataset, embedder, readDataset } from '../../embed/index.ts'
import { grad } from '../../grad/index.ts'
import { parametersOf } from '../../graph/index.ts'
import { open } from '../../models/index.ts'
import { formula } from '../../nn/testing/formula.ts'
import { evaluate } from '../../runtime/index.ts'
import { type Tensor, tensor } from '../../tensor/index.ts'
import { collate } from '../collate.ts'
import { withWeights } from '../evaluation.ts'
import { freshNetwork, maskedLanguageModel, type Network, openedNetwork, tokenMask, train } from '../index.ts'
import { BatchScope } from '../scope.ts'

interface Reference {
  readonly input_ids: readonly number[][]
  readonly attention_mask: readonly number[][]
  readonly labels: readonly number[][]
  readonly loss: number
  /** Of each parameter the mean of the absolute values, and the last three values. */
  readonly gradients: Readonly<Record<string, readonly number[]>>
}

const reference: Reference = JSON.parse(
  readFileSync(new URL('testdata/masked_language.json', import.meta.url), 'utf8'),
)
const model = fileURLToPath(new URL('../../models/testdata/sentence-transformers', import.meta.url))

let folder: string
let network: Network
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipilo-masked-'))
  const opened = await openedNetwork(model)
  network = { ...opened, training: opened.inference }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const lines = async (texts: readonly string[]) =>
  (await readDataset(texts.map((text) => ({ text })))) as Dataset

describe('a masked language model', () => {
  it('has the loss and the gradients of BertForMaskedLM', async () => {
    const objective = maskedLanguageModel()
    const scope = new BatchScope(network, objective, { batch: 2, seed: 0 })
    scope.builder.output('loss', objective.build(scope).loss)
    const forward = scope.builder.build()
    const names = parametersOf(forward).map(({ name }) => name)
    expect(names.sort()).toEqual(Object.keys(reference.gradients).sort())
    const weights = new Map(
      parametersOf(forward).map(({ name, shape }) => [name, tensor('float32', shape, formula(name, shape))]),
    )
    const ids = (rows: readonly number[][]) => tensor('int64', [2, 7], rows.flat())
    const labels = reference.labels.flat()
    const chosen = labels.flatMap((label, place) => (label === -100 ? [] : [place]))
    const all: Readonly<Record<string, Tensor>> = {
      'text.masked.input_ids': ids(reference.input_ids),
      'text.attention_mask': ids(reference.attention_mask),
      'text.token_type_ids': ids(reference.input_ids.map((row) => row.map(() => 0))),
      // Rounded up, as a batch's are.
      'text.masked.positions': tensor('int64', [6], [...chosen, 0, 0]),
      'text.masked.labels': tensor('int64', [6], [...chosen.map((place) => labels[place]!), -100, -100]),
    }
    const feeds = Object.fromEntries([...scope.feeds.keys()].map((name) => [name, all[name]!]))
    const results = await evaluate(withWeights(grad(forward, { of: 'loss', by: names }), weights), feeds)
    expect(Number(results['loss']!.data[0])).toBeCloseTo(reference.loss, 5)
    for (const [name, wanted] of Object.entries(reference.gradients)) {
      const data = results[`${name}.grad`]!.data as Float32Array
      const mean = data.reduce((sum, value) => sum + Math.abs(value), 0) / data.length
      const scale = Math.max(...data.map(Math.abs))
      for (const [i, value] of [mean, ...data.slice(-3)].entries())
        expect(Math.abs(value - wanted[i]!) / (scale + 1e-3), `${name} ${i}`).toBeLessThan(2e-5)
    }
  })

  it('hides words as tokenMask chooses them, others in each step', async () => {
    const data = await lines(['the birds sing: football.', 'a bird', 'query'])
    const objective = maskedLanguageModel({ ratio: 0.5 })
    const scope = new BatchScope(network, objective, { batch: 3, seed: 4 })
    objective.build(scope)
    const indices = [0, 1, 2]
    const batch = { indices, rows: await data.getMany(indices), pixels: [] }
    const at = (step: number) =>
      collate(scope.feeds, batch, {
        network,
        seed: 4,
        step,
        classes: undefined,
        nameOf: (index) => data.nameOf(index),
      })
    const { text } = network
    const encoded = text!.encode(batch.rows.map((row) => row.text!))
    const length = at(0)['text.attention_mask']!.shape[1]!
    const plain = encoded.flatMap((ids) => [...ids, ...Array.from({ length: length - ids.length }, () => 0)])
    const { labels, input_ids } = tokenMask({
      input_ids: tensor('int64', [3, length], plain),
      attention_mask: at(0)['text.attention_mask']!,
      ...text!.masking!,
      ratio: 0.5,
      seed: 4,
      step: 7,
    })
    const fed = at(7)
    expect(fed['text.masked.input_ids']!.data).toEqual(input_ids.data)
    const chosen = [...(labels.data as BigInt64Array)].flatMap((label, i) =>
      label === -100n ? [] : [[i, label]],
    )
    const pairs = [...(fed['text.masked.labels']!.data as BigInt64Array)].flatMap((label, i) =>
      label === -100n ? [] : [[Number(fed['text.masked.positions']!.data[i]), label]],
    )
    expect(pairs).toEqual(chosen)
    expect(at(8)['text.masked.input_ids']!.data).not.toEqual(input_ids.data)
  })

  it('learns, and leaves the encoder behind', async () => {
    const data = await lines(['the birds sing', 'the bird', 'football', 'the football'])
    const out = join(folder, 'run')
    const { history, weights } = await train({
      network,
      objective: maskedLanguageModel({ ratio: 0.3 }),
      data,
      batch: 4,
      epochs: 40,
      optimizer: { kind: 'adam', lr: 2e-2 },
      threads: 1,
      out,
    })
    const losses = history.map(({ numbers }) => numbers['loss']!)
    const mean = (part: readonly number[]) => part.reduce((sum, loss) => sum + loss, 0) / part.length
    expect(mean(losses.slice(-5))).toBeLessThan(mean(losses.slice(0, 5)) * 0.7)
    expect(weights.has('cls.predictions.transform.dense.weight')).toBe(true)
    const written = await open(out)
    expect(written.unused).toEqual([])
    const e = await embedder(out)
    expect((await e.embed(['a bird'])).dimensions).toBe(8)
    await e.dispose()
  })

  it('hides a word where chance hides none', async () => {
    const { history } = await train({
      network,
      objective: maskedLanguageModel({ ratio: 1e-9 }),
      data: await lines(['a bird', 'birds']),
      batch: 2,
      epochs: 1,
      threads: 1,
    })
    expect(history[0]!.numbers['loss']).toBeGreaterThan(0)
  })
})

describe('a masked language model is refused', () => {
  it('with a ratio that is none, for pictures, for a model without a mask, and for texts without words', async () => {
    const data = await lines(['', ''])
    const refused = (given: Partial<Parameters<typeof train>[0]>) =>
      train({
        network,
        objective: maskedLanguageModel(),
        data,
        batch: 2,
        epochs: 1,
        threads: 1,
        ...given,
      }).catch(({ code }: { code: string }) => code)
    expect(() => maskedLanguageModel({ ratio: 2 })).toThrow('ratio is 2')
    expect(() => maskedLanguageModel({ ratio: 0 })).toThrow('ratio is 0')
    expect(await refused({ network: freshNetwork('lenet', { size: [16, 16] }) })).toBe('MODEL_INVALID')
    const { masking: _, ...text } = network.text!
    expect(await refused({ network: { ...network, text } })).toBe('MODEL_INVALID')
    expect(await refused({})).toBe('INPUT_INVALID')
  })
})
