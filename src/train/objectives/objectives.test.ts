import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { grad } from '../../grad/index.ts'
import { Builder, type Graph, type Value } from '../../graph/index.ts'
import { evaluate } from '../../runtime/index.ts'
import { type DType, type Tensor, tensor } from '../../tensor/index.ts'
import * as train from '../index.ts'

interface Case {
  readonly function: string
  readonly inputs: readonly string[]
  readonly options: Readonly<Record<string, unknown>>
  readonly loss: number
  readonly gradients: Readonly<Record<string, readonly number[]>>
}

interface Batch {
  readonly inputs: Readonly<Record<string, { dtype: DType; shape: number[]; data: number[] }>>
  readonly cases: readonly Case[]
}

const { inputs, cases } = JSON.parse(
  readFileSync(new URL('testdata/objectives.json', import.meta.url), 'utf8'),
) as Batch

type Loss = (values: readonly Value[], options: object) => Value
type Two = [Value, Value]
type Three = [Value, Value, Value]

/** How each function takes the values of a case. */
const functions: Readonly<Record<string, Loss>> = {
  crossEntropy: (v, o) => train.crossEntropy(...(v as Two), o),
  meanSquaredError: (v) => train.meanSquaredError(...(v as Two)),
  smoothL1: (v, o) => train.smoothL1(...(v as Two), o),
  binaryCrossEntropyWithLogits: (v, o) => train.binaryCrossEntropyWithLogits(...(v as Two), o),
  contrastive: (v, o) => train.contrastive(...(v as Three), o),
  tripletLoss: (v, o) => train.tripletLoss(...(v as Three), o),
  batchAllTriplet: (v, o) => train.batchAllTriplet(...(v as Two), o),
  batchHardTriplet: (v, o) => train.batchHardTriplet(...(v as Two), o),
  batchSemiHardTriplet: (v, o) => train.batchSemiHardTriplet(...(v as Two), o),
  supervisedContrastive: (v, o) => train.supervisedContrastive(v.slice(0, -1), v.at(-1)!, o),
  ntXent: (v, o) => train.ntXent(...(v as Two), o),
  negativeCosineSimilarity: (v, o) => train.negativeCosineSimilarity(...(v as Two), o),
  clipLoss: ([a, b, logitScale], o) => train.clipLoss(a!, b!, { ...(logitScale && { logitScale }), ...o }),
  sigLipLoss: ([a, b, logitScale, logitBias], o) =>
    train.sigLipLoss(a!, b!, { ...(logitScale && { logitScale }), ...(logitBias && { logitBias }), ...o }),
  maskedReconstruction: ([prediction, pixels, mask], o) =>
    train.maskedReconstruction(prediction!, train.patchify(pixels!, 2), mask!, o),
  data2vec: ([student, first, second, mask], o) =>
    train.data2vecLoss(student!, train.data2vecTarget([first!, second!], o), mask!, o),
  cosineSimilarityLoss: (v) => train.cosineSimilarityLoss(...(v as Three)),
  coSent: (v, o) => train.coSent(...(v as Three), o),
  angleLoss: (v, o) => train.angleLoss(...(v as Three), o),
  multipleNegativesRanking: ([a, b, ...negatives], o) =>
    train.multipleNegativesRanking(a!, b!, { negatives, ...o }),
  simCse: ([a, b, ...negatives], o) => train.simCse(a!, b!, { negatives, ...o }),
  matryoshkaRanking: ([a, b], { dims, weights, normalize, ...o }: Partial<train.MatryoshkaOptions>) =>
    train.matryoshka([a!, b!], (x, y) => train.multipleNegativesRanking(x, y, o), {
      dims: dims!,
      ...(weights && { weights }),
      ...(normalize !== undefined && { normalize }),
    }),
  matryoshkaScores: ([a, b, scores], o) =>
    train.matryoshka([a!, b!], (x, y) => train.coSent(x, y, scores!), o as train.MatryoshkaOptions),
  embeddingDistillation: (v, o) => train.embeddingDistillation(...(v as Two), o),
  similarityDistillation: (v, o) => train.similarityDistillation(...(v as Two), o),
  marginMse: (v, o) => train.marginMse(v[0]!, v[1]!, v.slice(2, -1), v.at(-1)!, o),
  scoreDistillation: (v, o) => train.scoreDistillation(v[0]!, v.slice(1, -1), v.at(-1)!, o),
}

/** Pictures need their sizes; the others are also built for a batch of any size. */
function graphOf(one: Case, isBatchKnown: boolean): Graph {
  const b = new Builder()
  const values = one.inputs.map((name) => {
    const { dtype, shape } = inputs[name]!
    const sizes = isBatchKnown || shape.length === 0 ? shape : ['batch', ...shape.slice(1)]
    return b.input(name, dtype, sizes)
  })
  b.output('loss', functions[one.function]!(values, one.options))
  return b.build()
}

function feedsOf(one: Case): Record<string, Tensor> {
  return Object.fromEntries(
    one.inputs.map((name) => {
      const { dtype, shape, data } = inputs[name]!
      return [name, tensor(dtype, shape, data)]
    }),
  )
}

/** Logits of up to 100 carry five digits behind the point. */
const toleranceOf = (one: Case) => (one.inputs.includes('largeScale') ? 3e-6 : 1e-6)

const named = cases.map(
  (one) => [`${one.function}(${one.inputs.join(', ')}) ${JSON.stringify(one.options)}`, one] as const,
)

describe('losses equal the reference to 1e-6 of it', () => {
  it.each(named)('%s', async (_, one) => {
    for (const isBatchKnown of [true, false]) {
      const graph = graphOf(one, isBatchKnown)
      const { loss } = await evaluate(graph, feedsOf(one))
      expect(loss!.shape).toEqual([])
      const limit = Math.max(1e-7, toleranceOf(one) * Math.abs(one.loss))
      expect(Math.abs(Number(loss!.data[0]) - one.loss)).toBeLessThanOrEqual(limit)
    }
  })
})

describe('gradients equal the reference to 1e-5 of the largest', () => {
  it.each(named)('%s', async (_, one) => {
    const by = Object.keys(one.gradients)
    for (const isBatchKnown of [true, false]) {
      const found = await evaluate(grad(graphOf(one, isBatchKnown), { of: 'loss', by }), feedsOf(one))
      for (const [name, expected] of Object.entries(one.gradients)) {
        const gradient = found[`${name}.grad`]!
        expect(gradient.shape).toEqual(inputs[name]!.shape)
        const limit = Math.max(1e-7, 1e-5 * Math.max(...expected.map(Math.abs)))
        const isNear = (x: number, i: number) => Math.abs(x - expected[i]!) <= limit
        expect(Array.from(gradient.data as Float32Array).every(isNear), name).toBe(true)
      }
    }
  })
})
