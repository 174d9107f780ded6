// A fitted reducer that is one product, and what it does: transform, inverse, append, save.

import { createHash } from 'node:crypto'
import { breathe, checkOptions, PipiloError, throwIfAborted } from '../../base/index.ts'
import { type Graph, rename } from '../../graph/index.ts'
import { type EmbeddingOptions, type Model, withGraph } from '../../models/index.ts'
import type { Matrix } from '../../tensor/index.ts'
import { type Dense, dense, withProducts } from '../dense.ts'
import { writeReducer } from '../files.ts'
import * as types from '../methodTypes.ts'
import { placed, type Rows, rowsToTransform } from '../rows.ts'
import type { AppendOptions, LinearReducer, TransformOptions } from '../types.ts'
import { append } from './append.ts'

/** A linear reducer's numbers. */
export interface LinearParts {
  readonly mean: Float64Array
  /** inputDimensions × dimensions. */
  readonly forward: Dense
  /** dimensions × inputDimensions; missing where there is no way back. */
  readonly back?: Dense
  readonly skipped: number
}

/** See `LinearReducer` in ../types.ts. */
export class Linear<Kind extends LinearReducer['kind']> implements LinearReducer {
  readonly kind: Kind
  readonly mean: Float64Array
  readonly skipped: number
  readonly #forward: Dense
  readonly #back: Dense | undefined

  constructor(kind: Kind, { mean, forward, back, skipped }: LinearParts) {
    this.kind = kind
    this.mean = mean
    this.skipped = skipped
    this.#forward = forward
    this.#back = back
  }

  get inputDimensions(): number {
    return this.#forward.rows
  }

  get dimensions(): number {
    return this.#forward.columns
  }

  get invertible(): boolean {
    return this.#back !== undefined
  }

  get projection(): Matrix {
    return asMatrix(this.#forward)
  }

  async transform(rows: Rows, options: TransformOptions = {}): Promise<Matrix> {
    checkOptions('transform', options, types.transform)
    return multiplied(rows, this.mean, this.#forward, options)
  }

  async inverse(rows: Rows, options: TransformOptions = {}): Promise<Matrix> {
    checkOptions('inverse', options, types.transform)
    const back = this.#back
    if (!back) {
      throw new PipiloError('OPTION_INVALID', `There is no way back from what ${this.kind} gives.`, {
        hint:
          this.kind === 'random-projection'
            ? 'Fit it with inverse: true.'
            : 'Take PCA where vectors are to be restored.',
      })
    }
    const given = rowsToTransform(rows, back.rows, options)
    const whole = await withProducts(
      (products) => products.project(given, new Float64Array(back.rows), back),
      pieces(options),
    )
    const { mean } = this
    for (let at = 0; at < whole.data.length; at++) whole.data[at]! += mean[at % mean.length]!
    return placed(whole.data, back.columns, given)
  }

  appendTo(graph: Graph, output?: string, options: AppendOptions = {}): Graph {
    checkOptions('appendTo', options, types.append)
    return append(graph, { mean: this.mean, projection: this.projection }, output, options)
  }

  async applyTo(model: Model, options: EmbeddingOptions = {}): Promise<Model> {
    const graph = model.embedding(options)
    // The new model's embedding takes the name.
    const whole = `whole_${graph.outputs[0]!.name}`
    const renamed = rename(graph, { [graph.outputs[0]!.name]: whole })
    const pool = options.pool ?? model.card.pool
    const short = this.appendTo(renamed, whole)
    const card = { tap: short.outputs[0]!.name, dimensions: this.dimensions, pool, normalize: false }
    return withGraph(model, short, card, `reduce ${this.#fingerprint()}`)
  }

  #fingerprint(): string {
    const hash = createHash('sha256').update(this.mean)
    return hash.update(this.#forward.data).digest('hex').slice(0, 32)
  }

  save(path: string): Promise<void> {
    return writeReducer(path, this.kind, this.saved(), this.settings())
  }

  /** Tensors that make it again. */
  protected saved(): Record<string, Dense | Float64Array> {
    return {
      mean: this.mean,
      projection: this.#forward,
      ...(this.#back && { inverse: this.#back }),
    }
  }

  /** Facts that make it again. */
  protected settings(): Record<string, unknown> {
    return { skipped: this.skipped }
  }
}

/** (rows − mean) · matrix. */
async function multiplied(
  rows: Rows,
  mean: Float64Array,
  matrix: Dense,
  options: TransformOptions,
): Promise<Matrix> {
  const given = rowsToTransform(rows, matrix.rows, options)
  const { data } = await withProducts((products) => products.project(given, mean, matrix), pieces(options))
  return placed(data, matrix.columns, given)
}

/** Between pieces of work: others get their turn, and a signal is heeded. */
export function pieces({ signal }: { readonly signal?: AbortSignal }): () => Promise<void> | undefined {
  return () => {
    throwIfAborted(signal)
    return breathe()
  }
}

/** Rounded to float32. */
export function asMatrix({ rows, columns, data }: Dense): Matrix {
  return { rows, columns, data: Float32Array.from(data) }
}

/** The matrix with its columns multiplied by one number each. */
export function scaledColumns({ rows, columns, data }: Dense, by: (column: number) => number): Dense {
  return dense(
    rows,
    columns,
    data.map((x, at) => x * by(at % columns)),
  )
}
