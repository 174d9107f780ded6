// Types of samplers, the check of their numbers, and the plain one: every sample once an epoch.

import { checkCount, checkOptions, is, type OptionTable, PipiloError } from '../../base/index.ts'
import { permutation } from './permutation.ts'

export const plainSamplerTypes: OptionTable<PlainOptions> = {
  batch: is.count(1),
  seed: is.integer,
  shuffle: is.flag,
  dropLast: is.flag,
}

/** Says which samples make which batch. */
export interface Sampler {
  /** Batches of an epoch; undefined where only going through them tells. */
  readonly length: number | undefined
  /**
   * The indices of an epoch's batches, from batch `startAt` on: the same for the same epoch, whatever was asked for before.
   */
  batches(epoch: number, startAt?: number): Iterable<number[]>
}

/** Options of the plain sampler. */
export interface PlainOptions {
  /** Samples in a batch. */
  readonly batch: number
  /** Default 0. */
  readonly seed?: number
  /** Default `true`. */
  readonly shuffle?: boolean
  /** Leave the last batch out where it is smaller. Default `false`. */
  readonly dropLast?: boolean
}

/**
 * Every sample once an epoch, in a random order or as they come.
 *
 * @example
 * ```ts
 * for (const indices of plainSampler(60_000, { batch: 64, seed: 42 }).batches(epoch, startAt)) …
 * ```
 *
 * @remarks
 * Starting in the middle of an epoch takes no longer than at its start, and no order is stored.
 *
 * @throws PipiloError `OPTION_INVALID`
 */
export function plainSampler(length: number, options: PlainOptions): Sampler {
  checkOptions('plainSampler', options, plainSamplerTypes)
  const { batch, seed = 0, shuffle = true, dropLast = false } = options
  checkCount('batch', batch, 1)
  checkSeed(seed)
  checkFull(length, options)
  const count = dropLast ? Math.floor(length / batch) : Math.ceil(length / batch)
  return {
    length: count,
    batches: function* (epoch, startAt = 0) {
      checkCount('epoch', epoch, 0)
      checkCount('startAt', startAt, 0)
      const order = shuffle ? permutation(length, seed, `order ${epoch}`) : (place: number) => place
      for (let number = startAt; number < count; number++) {
        const start = number * batch
        yield Array.from({ length: Math.min(batch, length - start) }, (_, i) => order(start + i))
      }
    },
  }
}

/** Refuses batches of which there would be none. */
export function checkFull(length: number, { batch, dropLast }: PlainOptions): void {
  if (!dropLast || batch <= length) return
  throw new PipiloError('OPTION_INVALID', `No batch of ${batch} is full with ${length} samples.`, {
    input: 'batch',
    hint: 'Make it smaller, or leave dropLast away.',
  })
}

/** @throws PipiloError `OPTION_INVALID` */
export function checkSeed(seed: unknown): void {
  if (Number.isSafeInteger(seed)) return
  throw new PipiloError('OPTION_INVALID', `seed is ${String(seed)}; it has to be a whole number.`, {
    input: 'seed',
  })
}
