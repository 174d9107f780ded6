/** A linear decoder from vectors to small pictures: the same for every encoder, so that their errors can be compared. */
import { type ColumnName, type Dataset, type DatasetRow, readDataset } from '../../../src/embed/index.ts'
import { op } from '../../../src/graph/index.ts'
import { seeded } from '../../../src/nn/index.ts'
import type { Tensor } from '../../../src/tensor/index.ts'
import { headNetwork, meanSquaredError, type Objective, train } from '../../../src/train/index.ts'
import { statistics } from './vectors.ts'

/** Vectors and the pixels (0 to 1) of the pictures that they come from. */
export interface Pairs {
  readonly vectors: readonly Float32Array[]
  readonly pixels: readonly Float32Array[]
}

/** Mean squared error of the pixels that a decoder fitted to `known` makes of the vectors of `held`. */
export async function reconstructionError(
  known: Pairs,
  held: Pairs,
  { seed, epochs }: { readonly seed: number; readonly epochs: number },
): Promise<number> {
  const { mean, std } = statistics(known.vectors)
  const dimensions = mean.length
  const size = known.pixels[0]!.length
  const network = headNetwork({ dimensions, classes: Array(size).fill(''), mean, std, seed })
  const objective: Objective = {
    name: 'decoder',
    build(scope) {
      const [made] = scope.network({ features: scope.numbers('vector', [dimensions]) }, ['logits'])
      return { loss: meanSquaredError(op.sigmoid(made!), scope.numbers('pixels', [size])) }
    },
  }
  const { weights } = await train({
    network,
    objective,
    data: await pairsData(known),
    epochs,
    batch: 128,
    seed,
    optimizer: { kind: 'adam', lr: 2e-3 },
    schedule: (steps) => ({ kind: 'cosine', steps }),
    checkpoint: 0,
  })
  return errorOf(weights, held, mean, std)
}

async function pairsData({ vectors, pixels }: Pairs): Promise<Dataset> {
  const data = await readDataset(vectors.map((_, i) => ({ label: i % 2 })))
  const rows = vectors.map((vector, i) => ({ vector, pixels: pixels[i]! }) as DatasetRow)
  return {
    ...data,
    // No file has such columns.
    columns: ['vector', 'pixels'] as unknown as ColumnName[],
    get: async (index) => rows[index]!,
    getMany: async (indices) => Array.from(indices, (index) => rows[index]!),
    async *[Symbol.asyncIterator]() {
      yield* rows
    },
  }
}

function errorOf(
  weights: ReadonlyMap<string, Tensor>,
  { vectors, pixels }: Pairs,
  mean: readonly number[],
  std: readonly number[],
): number {
  const [weight, bias] = ['fc.weight', 'fc.bias'].map((name) => weights.get(name)!.data as Float32Array)
  let sum = 0
  for (const [row, vector] of vectors.entries()) {
    const scaled = vector.map((value, i) => (value - mean[i]!) / std[i]!)
    for (const [pixel, wanted] of pixels[row]!.entries()) {
      let logit = bias![pixel]!
      const start = pixel * scaled.length
      for (let i = 0; i < scaled.length; i++) logit += weight![start + i]! * scaled[i]!
      sum += (1 / (1 + Math.exp(-logit)) - wanted) ** 2
    }
  }
  return sum / vectors.length / pixels[0]!.length
}

/** Error of the mean picture: what a decoder makes of vectors that say nothing. */
export function meanError(known: readonly Float32Array[], held: readonly Float32Array[]): number {
  const { mean } = statistics(known)
  const errors = held.map(
    (row) => row.reduce((sum, value, i) => sum + (value - mean[i]!) ** 2, 0) / row.length,
  )
  return errors.reduce((sum, error) => sum + error, 0) / errors.length
}

/** A seeded order of so many rows. */
export function shuffledOrder(count: number, seed: number, name: string): number[] {
  const random = seeded(seed, name)
  return Array.from({ length: count }, (_, row) => ({ row, place: random.uniform() }))
    .sort((a, b) => a.place - b.place)
    .map(({ row }) => row)
}
