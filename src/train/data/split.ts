// Parts of data sets: chosen rows, and a split into training and validation.

import { createHash } from 'node:crypto'
import { checkOptions, is, type OptionTable, PipiloError } from '../../base/index.ts'
import type { Dataset, DatasetRow } from '../../embed/index.ts'
import { permutation } from './permutation.ts'
import { checkSeed } from './sampler.ts'

const splitDatasetTypes: OptionTable<SplitOptions> = {
  validation: is.numeric(0, 1),
  seed: is.integer,
  stratify: is.flag,
}

const splitLabelsTypes: OptionTable<Omit<SplitOptions, 'stratify'>> = {
  validation: is.numeric(0, 1),
  seed: is.integer,
}

/**
 * Some rows of a data set, in the order of the indices, as a data set.
 *
 * @example
 * ```ts
 * const few = subset(dataset, [3, 1, 4])
 * ```
 *
 * @remarks
 * Nothing is read or copied but the labels. The hash says the content of the whole and the indices.
 *
 * @throws PipiloError `INPUT_INVALID` for a row that is not there, or without any
 */
export function subset(dataset: Dataset, indices: ArrayLike<number>): Dataset {
  const chosen = Uint32Array.from(indices)
  if (chosen.length === 0) {
    throw new PipiloError('INPUT_INVALID', `No rows of ${dataset.name} were chosen.`, { input: dataset.name })
  }
  for (const index of Array.from(indices)) dataset.nameOf(index)
  const inWhole = (index: number): number => {
    if (Number.isInteger(index) && index >= 0 && index < chosen.length) return chosen[index]!
    throw new PipiloError(
      'INPUT_INVALID',
      `This part of ${dataset.name} has ${chosen.length} rows, and no row ${index}.`,
      {
        input: index,
      },
    )
  }
  const getMany = (some: ArrayLike<number>) => dataset.getMany(Array.from(some, inWhole))
  const { labels, classes } = dataset
  return {
    name: dataset.name,
    columns: dataset.columns,
    length: chosen.length,
    ...(labels && { labels: Int32Array.from(chosen, (index) => labels[index]!) }),
    ...(classes && { classes }),
    skipped: dataset.skipped,
    get: async (index) => dataset.get(inWhole(index)),
    getMany: async (some) => getMany(some),
    nameOf: (index) => dataset.nameOf(inWhole(index)),
    hash: async () =>
      createHash('sha256')
        .update(`${await dataset.hash()}/`)
        .update(chosen)
        .digest('hex'),
    [Symbol.asyncIterator]: () => inOrder(chosen.length, getMany),
  }
}

const WINDOW = 256

async function* inOrder(
  length: number,
  getMany: (indices: ArrayLike<number>) => Promise<DatasetRow[]>,
): AsyncGenerator<DatasetRow> {
  for (let start = 0; start < length; start += WINDOW) {
    yield* await getMany(Array.from({ length: Math.min(WINDOW, length - start) }, (_, i) => start + i))
  }
}

/** Options of {@link splitDataset}. */
export interface SplitOptions {
  /** Share of the rows that go to validation, between 0 and 1. Default 0.1. */
  readonly validation?: number
  /** Default 0. */
  readonly seed?: number
  /** The same share of every class. Default: where rows have labels. */
  readonly stratify?: boolean
}

/**
 * Splits a data set at random into one to train with and one to validate with.
 *
 * @example
 * ```ts
 * const { train, validation } = splitDataset(dataset, { validation: 0.2, seed: 42 })
 * ```
 *
 * @remarks
 * The same seed gives the same split; rows keep their order. By class, the rows of validation are as many as the share says over all (rounded), and
 * shared out so that each class has its share rounded down or up; a class of two rows or more keeps one in training at least.
 *
 * @throws PipiloError `OPTION_INVALID`; `INPUT_INVALID` where a part would be empty
 */
export function splitDataset(
  dataset: Dataset,
  given: SplitOptions = {},
): { train: Dataset; validation: Dataset } {
  checkOptions('splitDataset', given, splitDatasetTypes)
  const { validation = 0.1, seed = 0, stratify = dataset.labels !== undefined } = given
  if (stratify && !dataset.labels) {
    throw new PipiloError('OPTION_INVALID', `${dataset.name} has no labels to split by.`, {
      input: 'stratify',
    })
  }
  const rows = stratify ? dataset.labels! : new Int32Array(dataset.length)
  const parts = splitLabels(rows, { validation, seed })
  return { train: subset(dataset, parts.train), validation: subset(dataset, parts.validation) }
}

/**
 * Splits rows by their labels at random: indices of those to train with and of those to validate with, ascending.
 *
 * @example
 * ```ts
 * const { train, validation } = splitLabels(labels, { validation: 0.2, seed: 42 })
 * ```
 *
 * @remarks As {@link splitDataset}, which is this on a data set's labels.
 *
 * @throws PipiloError `OPTION_INVALID`; `INPUT_INVALID` where a part would be empty
 */
export function splitLabels(
  labels: ArrayLike<number>,
  given: Omit<SplitOptions, 'stratify'> = {},
): { train: number[]; validation: number[] } {
  checkOptions('splitLabels', given, splitLabelsTypes)
  const { validation = 0.1, seed = 0 } = given
  checkSeed(seed)
  if (!(validation > 0 && validation < 1)) {
    throw new PipiloError('OPTION_INVALID', `validation is ${validation}; it has to lie between 0 and 1.`, {
      input: 'validation',
    })
  }
  const groups = groupsOf(labels)
  const counts = shares(
    groups.map(({ length }) => length),
    validation,
  )
  const held = new Uint8Array(labels.length)
  for (const [g, indices] of groups.entries()) {
    const order = permutation(indices.length, seed, `split ${g}`)
    for (let i = 0; i < counts[g]!; i++) held[indices[order(i)]!] = 1
  }
  const [kept, taken]: [number[], number[]] = [[], []]
  for (const [i, isHeld] of held.entries()) (isHeld ? taken : kept).push(i)
  if (kept.length === 0 || taken.length === 0) {
    const none = `none would be for ${kept.length === 0 ? 'training' : 'validation'}`
    throw new PipiloError(
      'INPUT_INVALID',
      groups.length > 1
        ? `Of ${labels.length} rows in ${groups.length} classes ${none}: a class needs two rows, one for each part, and ${validation} of all rows has to be one at least.`
        : `Of ${labels.length} rows, ${none}.`,
      { input: 'validation' },
    )
  }
  return { train: kept, validation: taken }
}

function groupsOf(labels: ArrayLike<number>): number[][] {
  const groups = new Map<number, number[]>()
  for (const [i, label] of Array.from(labels).entries()) {
    const group = groups.get(label)
    if (group) group.push(i)
    else groups.set(label, [i])
  }
  return [...groups].sort(([a], [b]) => a - b).map(([, indices]) => indices)
}

/** How many of each group: rounded down, and those with the largest rests get one more until the whole is right. */
function shares(sizes: readonly number[], share: number): number[] {
  const total = Math.round(sizes.reduce((a, b) => a + b, 0) * share)
  const counts = sizes.map((size) => Math.floor(size * share))
  const most = sizes.map((size) => Math.max(0, size - 1))
  const byRest = sizes
    .map((size, g) => ({ g, rest: size * share - counts[g]! }))
    .sort((a, b) => b.rest - a.rest || a.g - b.g)
  let missing = total - counts.reduce((a, b) => a + b, 0)
  for (const { g } of byRest) {
    if (missing <= 0) break
    if (counts[g]! >= most[g]!) continue
    counts[g]!++
    missing--
  }
  return counts
}
