/** Intervals by resampling. */

import { checkCount, checkOptions, is, type OptionTable, PipiloError } from '../../base/index.ts'
import { seeded } from '../../nn/index.ts'
import { checkFinite } from './checks.ts'

const bootstrapTypes: OptionTable<BootstrapOptions> = {
  confidence: is.numeric(0, 1),
  resamples: is.count(1),
  seed: is.integer,
}

/** Options of {@link bootstrap}. */
export interface BootstrapOptions {
  /** Share of resamples inside the interval. Default 0.95. */
  readonly confidence?: number
  /** Default 1000. */
  readonly resamples?: number
  /** Default 0. */
  readonly seed?: number
}

/** An interval around a measure. */
export interface Interval {
  readonly low: number
  readonly high: number
}

/**
 * The interval in which a measure lies when its examples are drawn anew, with repetition: how much of it is chance of this sample.
 *
 * @example
 * ```ts
 * bootstrap(labels.length, (rows) => accuracyOf(rows)) // { low: 0.81, high: 0.86 }
 * bootstrap(hits)                                      // of the mean of numbers
 * ```
 *
 * @remarks The percentile bootstrap (Efron, https://doi.org/10.1214/aos/1176344552). Same seed, same interval.
 *
 * @param examples how many there are, or numbers whose mean is the measure
 * @param measure from the indices of a resample; resamples for which it throws or gives NaN are drawn again
 * @throws `INPUT_INVALID` for no examples, and for numbers of which one is NaN or infinite; `OPTION_INVALID`
 */
export function bootstrap(
  examples: number | ArrayLike<number>,
  measure: ((rows: Uint32Array) => number) | undefined = undefined,
  options: BootstrapOptions = {},
): Interval {
  checkOptions('bootstrap', options, bootstrapTypes)
  const count = typeof examples === 'number' ? examples : examples.length
  const of = measure ?? meanOf(examples as ArrayLike<number>)
  // NaN among the numbers would only be drawn again, and the interval be that of the others.
  if (!measure && typeof examples !== 'number') checkFinite('examples', examples)
  return bootstrapEach(count, (rows) => ({ of: of(rows) }), options)['of']!
}

/** {@link bootstrap} of several measures on the same resamples. */
export function bootstrapEach(
  count: number,
  measures: (rows: Uint32Array) => Readonly<Record<string, number>>,
  { confidence = 0.95, resamples = 1000, seed = 0 }: BootstrapOptions = {},
): Record<string, Interval> {
  checkCount('resamples', resamples, 1)
  if (!(confidence > 0 && confidence < 1)) {
    throw new PipiloError('OPTION_INVALID', `confidence is ${confidence}; it lies between 0 and 1.`, {
      input: 'confidence',
    })
  }
  if (count < 1)
    throw new PipiloError('INPUT_INVALID', 'There are no examples to draw from.', { input: 'examples' })
  const random = seeded(seed, 'bootstrap')
  const rows = new Uint32Array(count)
  const found: Readonly<Record<string, number>>[] = []
  for (let tries = 0; found.length < resamples && tries < 10 * resamples; tries++) {
    for (let i = 0; i < count; i++) rows[i] = Math.floor(random.uniform() * count)
    const values = resampled(measures, rows)
    if (values && !Object.values(values).some(Number.isNaN)) found.push(values)
  }
  if (found.length < resamples) {
    throw new PipiloError('INPUT_INVALID', 'Most resamples have no measure: there are too few examples.', {
      input: 'examples',
    })
  }
  const names = Object.keys(found[0]!)
  return Object.fromEntries(
    names.map((name) => {
      const sorted = Float64Array.from(found, (values) => values[name]!).sort()
      return [
        name,
        { low: quantile(sorted, (1 - confidence) / 2), high: quantile(sorted, (1 + confidence) / 2) },
      ]
    }),
  )
}

/** A resample of one class, or of equal numbers, may have no measure. */
function resampled<Found>(measures: (rows: Uint32Array) => Found, rows: Uint32Array): Found | undefined {
  try {
    return measures(rows)
  } catch (error) {
    if (error instanceof PipiloError && error.code === 'INPUT_INVALID') return undefined
    throw error
  }
}

const meanOf = (numbers: ArrayLike<number>) => (rows: Uint32Array) => {
  let sum = 0
  for (const row of rows) sum += numbers[row]!
  return sum / rows.length
}

/** By linear interpolation, as NumPy's default. */
function quantile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1)
  const below = Math.floor(place)
  const above = Math.min(below + 1, sorted.length - 1)
  return sorted[below]! + (place - below) * (sorted[above]! - sorted[below]!)
}
