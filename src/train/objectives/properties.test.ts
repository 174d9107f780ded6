import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Builder, op, type Value } from '../../graph/index.ts'
import { compile, evaluate } from '../../runtime/index.ts'
import { type Tensor, tensor } from '../../tensor/index.ts'
import * as train from '../index.ts'

const WIDTH = 4
type Losses = (a: Value, b: Value, labels: Value) => Record<string, Value>

/** Losses of a batch of any size, in one session. */
async function session(losses: Losses) {
  const builder = new Builder()
  const a = builder.input('a', 'float32', ['batch', WIDTH])
  const b = builder.input('b', 'float32', ['batch', WIDTH])
  const labels = builder.input('labels', 'int64', ['batch'])
  for (const [name, value] of Object.entries(losses(a, b, labels))) builder.output(name, value)
  const compiled = await compile(builder.build(), { workers: 0 })
  return {
    async run(rows: readonly Row[], factor = 1): Promise<Record<string, number>> {
      const vectors = (key: 'a' | 'b') =>
        tensor(
          'float32',
          [rows.length, WIDTH],
          Float32Array.from(rows.flatMap((row) => row[key].map((x) => x * factor))),
        )
      const feeds = {
        a: vectors('a'),
        b: vectors('b'),
        labels: tensor(
          'int64',
          [rows.length],
          rows.map((row) => row.label),
        ),
      }
      const found: Record<string, Tensor> = await compiled.run(feeds)
      return Object.fromEntries(Object.entries(found).map(([name, { data }]) => [name, Number(data[0])]))
    },
    dispose: () => compiled.dispose(),
  }
}

interface Row {
  readonly a: readonly number[]
  readonly b: readonly number[]
  readonly label: number
}

const vector = fc
  .array(fc.integer({ min: -9, max: 9 }), { minLength: WIDTH, maxLength: WIDTH })
  .filter((x) => x.some((one) => one !== 0))
const batches = fc.array(fc.record({ a: vector, b: vector, label: fc.integer({ min: 0, max: 2 }) }), {
  minLength: 3,
  maxLength: 9,
})

const ofBatches: Losses = (a, b, labels) => ({
  crossEntropy: train.crossEntropy(a, labels, { labelSmoothing: 0.1 }),
  contrastive: train.contrastive(a, b, labels),
  batchAll: train.batchAllTriplet(a, labels),
  batchHard: train.batchHardTriplet(a, labels, { margin: 'soft' }),
  semiHard: train.batchSemiHardTriplet(a, labels, { distance: 'cosine', margin: 3 }),
  supervised: train.supervisedContrastive([a, b], labels),
  ntXent: train.ntXent(a, b),
  clip: train.clipLoss(a, b),
  sigLip: train.sigLipLoss(a, b),
  coSent: train.coSent(a, b, labels),
  ranking: train.multipleNegativesRanking(a, b, { symmetric: true }),
  similarities: train.similarityDistillation(a, b, { divergence: 'kl' }),
})

function expectNear(found: Record<string, number>, expected: Record<string, number>): void {
  for (const [name, value] of Object.entries(expected)) {
    expect(Math.abs(found[name]! - value), `${name}: ${found[name]} and ${value}`).toBeLessThan(
      2e-5 * Math.max(1, value),
    )
  }
}

describe('losses of a batch', () => {
  it('are finite, and do not hang on the order of its rows', async () => {
    const { run, dispose } = await session(ofBatches)
    await fc.assert(
      fc.asyncProperty(batches, async (rows) => {
        const found = await run(rows)
        for (const [name, value] of Object.entries(found)) expect(Number.isFinite(value), name).toBe(true)
        const { semiHard: _, ...others } = await run(rows.toReversed())
        expectNear(found, others)
      }),
      { numRuns: 60, seed: 1 },
    )
    await dispose()
  })

  it('by cosines do not hang on the lengths of vectors', async () => {
    const { run, dispose } = await session((a, b, labels) => {
      const { supervised, ntXent, clip, sigLip, coSent, ranking, contrastive } = ofBatches(a, b, labels)
      return { supervised, ntXent, clip, sigLip, coSent, ranking, contrastive } as Record<string, Value>
    })
    await fc.assert(
      fc.asyncProperty(batches, async (rows) => expectNear(await run(rows, 100), await run(rows))),
      { numRuns: 30, seed: 2 },
    )
    await dispose()
  })

  it('are what they are special cases of', async () => {
    const { run, dispose } = await session((a, b, labels) => ({
      views: train.supervisedContrastive([a, b], op.range(0, op.squeeze(op.shape(a, 0, 1))), {
        temperature: 0.3,
        rescale: false,
      }),
      ntXent: train.ntXent(a, b, { temperature: 0.3 }),
      symmetric: train.multipleNegativesRanking(a, b, { scale: 7, symmetric: true }),
      clip: train.clipLoss(a, b, { logitScale: Math.log(7) }),
      ranking: train.multipleNegativesRanking(a, b),
      simCse: train.simCse(a, b),
      whole: train.matryoshka([a, b], train.multipleNegativesRanking, { dims: [WIDTH] }),
      smooth: train.smoothL1(a, b, { beta: 1000 }),
      squares: op.mul(train.meanSquaredError(a, b), 1 / 2000),
      ofLabels: train.crossEntropy(a, labels),
      ofValue: train.crossEntropy(a, labels, { weight: a.builder.constant([3, 3, 3, 3], 'float32') }),
      ofWeights: train.crossEntropy(a, labels, { weight: [3, 3, 3, 3], ignoreIndex: 7 }),
    }))
    await fc.assert(
      fc.asyncProperty(batches, async (rows) => {
        const found = await run(rows)
        expectNear({ views: found['ntXent']! }, { views: found['views']! })
        expectNear({ clip: found['clip']! }, { clip: found['symmetric']! })
        expectNear(
          { simCse: found['simCse']!, whole: found['whole']! },
          { simCse: found['ranking']!, whole: found['ranking']! },
        )
        expectNear({ smooth: found['smooth']! }, { smooth: found['squares']! })
        expectNear({ numbers: found['ofWeights']! }, { numbers: found['ofLabels']! })
        expectNear({ value: found['ofValue']! }, { value: found['ofLabels']! })
      }),
      { numRuns: 30, seed: 3 },
    )
    await dispose()
  })
})

describe('losses of extreme numbers', () => {
  const lossOf = async (
    logits: number[],
    build: (x: Value, y: Value) => Value,
    y: Tensor,
  ): Promise<number> => {
    const b = new Builder()
    const x = b.input('x', 'float32', [1, logits.length])
    b.output('loss', build(x, b.input('y', y.dtype, y.shape)))
    const { loss } = await evaluate(b.build(), { x: tensor('float32', [1, logits.length], logits), y })
    return Number(loss!.data[0])
  }

  it('do not overflow', async () => {
    const label = (index: number) => tensor('int64', [1], [index])
    expect(await lossOf([1e4, -1e4, 0], train.crossEntropy, label(1))).toBe(2e4)
    expect(await lossOf([1e4, -1e4, 0], train.crossEntropy, label(0))).toBeCloseTo(0, 12)
    const answer = (...y: number[]) => tensor('float32', [1, y.length], y)
    expect(await lossOf([1e4, -1e4], train.binaryCrossEntropyWithLogits, answer(0, 1))).toBe(1e4)
    expect(await lossOf([1e4, -1e4], train.binaryCrossEntropyWithLogits, answer(1, 0))).toBeCloseTo(0, 12)
    expect(await lossOf([-20], train.binaryCrossEntropyWithLogits, answer(0))).toBeCloseTo(0, 7)
  })

  it('fail for a class that is not there', async () => {
    for (const index of [3, -1]) {
      await expect(lossOf([1, 2, 3], train.crossEntropy, tensor('int64', [1], [index]))).rejects.toThrow(
        /indices|index|bound/,
      )
    }
  })
})
