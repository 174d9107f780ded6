// Linear discriminant analysis: the directions along which classes lie apart.
import { checkCount, PipiloError } from '../../base/index.ts'
import type { Matrix } from '../../tensor/index.ts'
import { type Dense, dense, rowsOf, transposed, withProducts } from '../dense.ts'
import { allOf } from '../eigen.ts'
import { type FiniteRows, type Rows, rowsToFit } from '../rows.ts'
import type { FitOptions, Lda } from '../types.ts'
import { Linear, type LinearParts, pieces, scaledColumns } from './linearReducer.ts'

/** Options of `lda.fit`. */
export interface LdaOptions extends FitOptions {
  /** At most one less than classes, and as many as columns. Default: as many as that. */
  readonly components?: number
  /** Deviation within the classes, after scaling, below which a direction counts as constant and is left out. Default 0.0001. */
  readonly tolerance?: number
}

/** See `lda` in ../onDemand.ts. */
export async function fitLda(
  data: Rows,
  labels: readonly (string | number)[],
  options: LdaOptions = {},
): Promise<Lda> {
  const rows = rowsToFit(data, options)
  if (labels.length !== rows.given) {
    throw new PipiloError('INPUT_INVALID', `There are ${rows.given} rows and ${labels.length} labels.`)
  }
  const { classes, of, counts } = classesOf(rows, labels)
  const most = Math.min(classes.length - 1, rows.columns)
  const { components = most, tolerance = 1e-4, onProgress } = options
  checkCount('components', components, 1)
  if (components > most) {
    throw new PipiloError(
      'OPTION_INVALID',
      `components is ${components}; ${classes.length} classes of ${rows.columns} columns have ${most}.`,
      {
        input: 'components',
      },
    )
  }
  if (rows.rows <= classes.length) {
    throw new PipiloError(
      'INPUT_INVALID',
      `There are ${rows.rows} rows of ${classes.length} classes; it takes more rows than classes.`,
    )
  }
  return withProducts(async (products) => {
    onProgress?.({ done: 0, total: 2 })
    const means = classMeans(rows, of, counts)
    const { within, scale } = scaledWithin(rows, means, of)
    const n = rows.rows
    const scatter = await products.multiplyTransposed(within, within)
    onProgress?.({ done: 1, total: 2 })
    const inner = await allOf(scatter)
    const rank = countWhile(inner.values, (value) => Math.sqrt(Math.max(0, value) / n) > tolerance)
    if (rank === 0) {
      throw new PipiloError('INPUT_INVALID', 'No column varies within the classes.', {
        hint: 'Give rows that differ within their class.',
      })
    }
    // Columns scaled, turned and scaled again: within the classes, all directions then have variance 1.
    const sphere = dense(rows.columns, rank)
    for (let i = 0; i < rows.columns; i++)
      for (let j = 0; j < rank; j++)
        sphere.data[i * rank + j] =
          inner.vectors.data[j * rows.columns + i]! / scale[i]! / Math.sqrt(inner.values[j]! / n)
    const mean = weightedMean(means, counts, rows.rows)
    const apart = await products.multiply(between(means, mean, counts, classes.length), sphere)
    const outer = await allOf(await products.multiplyTransposed(apart, apart))
    const significant = countWhile(
      outer.values,
      (value, i) => i < most && Math.sqrt(Math.max(0, value)) > tolerance * Math.sqrt(outer.values[0]!),
    )
    if (components > significant) {
      throw new PipiloError(
        'OPTION_INVALID',
        `The classes lie apart in ${significant} directions only, and ${components} are asked for.`,
        {
          input: 'components',
          hint: 'Ask for fewer components.',
        },
      )
    }
    // The classes are few: directions among them, turned into directions of the columns.
    const among = scaledColumns(
      transposed(rowsOf(outer.vectors, 0, components)),
      (j) => 1 / Math.sqrt(outer.values[j]!),
    )
    const forward = await products.multiply(sphere, await products.multiply(transposed(apart), among))
    const total = outer.values.reduce((sum, value) => sum + Math.max(0, value), 0)
    onProgress?.({ done: 2, total: 2 })
    const ratios = outer.values.slice(0, components).map((value) => value / total)
    return new FittedLda({ mean, forward, skipped: rows.given - rows.rows }, classes, ratios)
  }, pieces(options))
}

/** The labels of the rows that were kept, as numbers of classes. @throws PipiloError `INPUT_INVALID` for one class */
function classesOf({ rows, origin }: FiniteRows, labels: readonly (string | number)[]) {
  const own = Array.from({ length: rows }, (_, i) => labels[origin ? origin[i]! : i]!)
  const classes = [...new Set(own)].sort((a, b) => (a < b ? -1 : 1))
  if (classes.length < 2) {
    throw new PipiloError(
      'INPUT_INVALID',
      `All rows are of one class${classes.length ? `, ${classes[0]}` : ''}; it takes two.`,
      {
        hint: 'Give rows of several classes, or take PCA.',
      },
    )
  }
  const place = new Map(classes.map((label, i) => [label, i]))
  const of = Int32Array.from(own, (label) => place.get(label)!)
  const counts = new Int32Array(classes.length)
  for (const one of of) counts[one]!++
  return { classes, of, counts }
}

function classMeans({ rows, columns, data }: Matrix, of: Int32Array, counts: Int32Array): Dense {
  const means = dense(counts.length, columns)
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) means.data[of[i]! * columns + j]! += data[i * columns + j]!
  for (let at = 0; at < means.data.length; at++) means.data[at]! /= counts[Math.floor(at / columns)]!
  return means
}

/** Columns less the means of their classes, divided by their deviation; one without any becomes zeros. */
function scaledWithin(
  { rows, columns, data }: Matrix,
  means: Dense,
  of: Int32Array,
): { within: Dense; scale: Float64Array } {
  const within = dense(columns, rows)
  const scale = new Float64Array(columns)
  for (let j = 0; j < columns; j++) {
    const own = within.data.subarray(j * rows, (j + 1) * rows)
    let squares = 0
    let largest = 0
    for (let i = 0; i < rows; i++) {
      const x = data[i * columns + j]!
      own[i] = x - means.data[of[i]! * columns + j]!
      squares += own[i]! ** 2
      largest = Math.max(largest, Math.abs(x))
    }
    const deviation = Math.sqrt(squares / rows)
    // Means are rounded: what is constant within the classes differs from them by a few last bits.
    const isConstant = deviation <= 1e-12 * largest
    scale[j] = isConstant ? 1 : deviation
    for (let i = 0; i < rows; i++) own[i] = isConstant ? 0 : own[i]! / deviation
  }
  return { within, scale }
}

function weightedMean(means: Dense, counts: Int32Array, rows: number): Float64Array {
  const mean = new Float64Array(means.columns)
  for (let at = 0; at < means.data.length; at++)
    mean[at % means.columns]! += (means.data[at]! * counts[Math.floor(at / means.columns)]!) / rows
  return mean
}

/** Means of the classes less that of all, weighted by rows. */
function between(
  { rows, columns, data }: Dense,
  mean: Float64Array,
  counts: Int32Array,
  classes: number,
): Dense {
  const weight = (i: number) => Math.sqrt(counts[i]! / (classes - 1))
  return dense(
    rows,
    columns,
    data.map((x, at) => (x - mean[at % columns]!) * weight(Math.floor(at / columns))),
  )
}

function countWhile(values: Float64Array, holds: (value: number, i: number) => boolean): number {
  const end = values.findIndex((value, i) => !holds(value, i))
  return end < 0 ? values.length : end
}

/** See `Lda` in ../types.ts. */
export class FittedLda extends Linear<'lda'> implements Lda {
  readonly classes: readonly (string | number)[]
  readonly explainedVarianceRatio: Float64Array

  constructor(parts: LinearParts, classes: readonly (string | number)[], ratios: Float64Array) {
    super('lda', parts)
    this.classes = classes
    this.explainedVarianceRatio = ratios
  }

  protected override saved() {
    return { ...super.saved(), explainedVarianceRatio: this.explainedVarianceRatio }
  }

  protected override settings() {
    return { ...super.settings(), classes: this.classes }
  }
}
