/** Vectors of inputs, and what they are worth among each other. */
import {
  type AnyInput,
  type Embedder,
  type EmbedderOptions,
  embedder,
  semanticSearch,
} from '../../../src/embed/index.ts'
import { classificationMeasures, nearestNeighbors, rankingMeasures } from '../../../src/evaluate/index.ts'

/** Vectors of a model that is opened for them and closed again. */
export async function vectorsOf(
  model: string,
  inputs: readonly AnyInput[],
  options: EmbedderOptions = {},
): Promise<Float32Array[]> {
  const e = (await embedder(model, options)) as Embedder<Float32Array, AnyInput>
  try {
    return [...(await e.embed(inputs)).vectors]
  } finally {
    await e.dispose()
  }
}

export interface Labelled {
  readonly vectors: readonly Float32Array[]
  readonly labels: readonly number[]
}

/** Accuracy of the five nearest, averaged over the classes, in percent: among `known`, or among the others of the same rows. */
export async function neighbourAccuracy(known: Labelled, asked?: Labelled): Promise<number> {
  const { predictions } = await nearestNeighbors(known, asked?.vectors, { k: 5 })
  return 100 * classificationMeasures(predictions, (asked ?? known).labels).balancedAccuracy
}

/** Mean average precision, in percent, of the first `queries` rows among all others. */
export async function meanAveragePrecision({ vectors, labels }: Labelled, queries: number): Promise<number> {
  const found = await semanticSearch(vectors.slice(0, queries), vectors, { k: vectors.length })
  const results = found.map(
    (hits, query) => [query, hits.map(({ index }) => index).filter((index) => index !== query)] as const,
  )
  const relevant = results.map(
    ([query, others]) =>
      [query, new Map(others.map((index) => [index, Number(labels[index] === labels[query])]))] as const,
  )
  return 100 * rankingMeasures(new Map(results), new Map(relevant), { at: [1] }).mean['map']!
}

/** Labels as indices from 0, in the order in which they come. */
export function indices(labels: readonly string[]): number[] {
  const names = [...new Set(labels)]
  const places = new Map(names.map((name, i) => [name, i]))
  return labels.map((label) => places.get(label)!)
}

/** Vectors less the mean of all of them, or of `known`. */
export function centred(
  rows: readonly Float32Array[],
  known: readonly Float32Array[] = rows,
): Float32Array[] {
  const { mean } = statistics(known)
  return rows.map((row) => row.map((value, i) => value - mean[i]!))
}

/** Mean and deviation of each number of some vectors; the deviation of those that hardly change is 0.001. */
export function statistics(vectors: readonly Float32Array[]): { mean: number[]; std: number[] } {
  const { length } = vectors
  const mean = Array.from(vectors[0]!, (_, i) => vectors.reduce((sum, row) => sum + row[i]!, 0) / length)
  const std = mean.map((m, i) =>
    Math.max(1e-3, Math.sqrt(vectors.reduce((sum, row) => sum + (row[i]! - m) ** 2, 0) / length)),
  )
  return { mean, std }
}
