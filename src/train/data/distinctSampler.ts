// The sampler whose batches repeat neither a text nor a class, for losses that take the others in a batch for negatives.

import { checkCount, checkOptions, PipiloError } from '../../base/index.ts'
import { permutation } from './permutation.ts'
import { checkFull, checkSeed, type PlainOptions, plainSamplerTypes, type Sampler } from './sampler.ts'

/** A key a column for each sample; samples that share one never come into one batch. */
export interface SampleKeys {
  readonly length: number
  /** Their names. */
  readonly columns: readonly string[]
  readonly keys: Float64Array
}

/**
 * Batches without two samples that share a key: sentence-transformers' NoDuplicatesBatchSampler.
 *
 * @example
 * ```ts
 * const sampler = distinctSampler(await distinctKeys(dataset), { batch: 64, seed: 42 })
 * ```
 *
 * @remarks
 * Goes through a random order; a sample that shares a key with its batch waits for the next. Every sample comes once an epoch (with `dropLast`
 * those of smaller batches do not); towards the end, batches may be smaller where only samples that share keys are left. To start in the middle
 * of an epoch it goes through the keys of what came before, and reads no data.
 *
 * @throws PipiloError `INPUT_INVALID` where there are too few different values to fill a batch; `OPTION_INVALID`
 * @see https://sbert.net/docs/package_reference/sentence_transformer/sampler.html
 */
export function distinctSampler(samples: SampleKeys, options: PlainOptions): Sampler {
  checkOptions('distinctSampler', options, plainSamplerTypes)
  const { batch, seed = 0, shuffle = true, dropLast = false } = options
  checkCount('batch', batch, 1)
  checkSeed(seed)
  checkFull(samples.length, options)
  checkVariety(samples, batch)
  return {
    length: undefined,
    batches: function* (epoch, startAt = 0) {
      checkCount('epoch', epoch, 0)
      checkCount('startAt', startAt, 0)
      const order = shuffle ? permutation(samples.length, seed, `order ${epoch}`) : (place: number) => place
      let number = 0
      for (const indices of distinctBatches(samples, order, batch)) {
        if (dropLast && indices.length < batch) continue
        if (number++ >= startAt) yield indices
      }
    },
  }
}

function* distinctBatches(
  { length, columns: { length: columns }, keys }: SampleKeys,
  order: (place: number) => number,
  batch: number,
): Generator<number[]> {
  // Places that are left, as a chain: `next[place]` follows it, and the last entry is the head.
  const next = Int32Array.from({ length: length + 1 }, (_, place) => (place === length ? 0 : place + 1))
  while (next[length] !== length) {
    const seen = new Set<number>()
    const indices: number[] = []
    for (let before = length, place = next[length]!; place !== length && indices.length < batch; ) {
      const index = order(place)
      if (isNew(keys, index * columns, columns, seen)) {
        indices.push(index)
        for (let k = 0; k < columns; k++) seen.add(keys[index * columns + k]!)
        next[before] = next[place]!
      } else before = place
      place = next[place]!
    }
    yield indices
  }
}

function isNew(keys: Float64Array, start: number, columns: number, seen: ReadonlySet<number>): boolean {
  for (let k = 0; k < columns; k++) if (seen.has(keys[start + k]!)) return false
  return true
}

/** Batches that could never be full are a mistake, and would be taken for the end of the data. */
function checkVariety({ length, columns, keys }: SampleKeys, batch: number): void {
  if (batch > length) return
  for (const [k, column] of columns.entries()) {
    const different = new Set<number>()
    for (let i = 0; i < length && different.size < batch; i++) different.add(keys[i * columns.length + k]!)
    if (different.size === batch) continue
    throw new PipiloError(
      'INPUT_INVALID',
      `A batch of ${batch} that repeats nothing is never full: the column ${column} has ${different.size} different ${different.size === 1 ? 'value' : 'values'}.`,
      { input: 'batch', hint: 'Make it smaller; of labelled data it has at most one sample a class.' },
    )
  }
}
