// Types of reducers, and the options that they have in common.
import type { Graph } from '../graph/index.ts'
import type { EmbeddingOptions, Model } from '../models/index.ts'
import type { Matrix } from '../tensor/index.ts'
import type { RowOptions, Rows } from './rows.ts'

/** Options of every `fit`. */
export interface FitOptions extends RowOptions {
  /** Random numbers come from it: the same seed gives the same result. Default 0. */
  readonly seed?: number
  readonly signal?: AbortSignal
  /** Is told how far it is: steps of work that are done, of `total`. */
  readonly onProgress?: (event: { readonly done: number; readonly total: number }) => void
}

/** Options of `transform` and `inverse`. */
export interface TransformOptions extends RowOptions {
  readonly signal?: AbortSignal
}

/** The kinds of reducers that are saved and loaded. */
export type ReducerKind = 'pca' | 'lda' | 'whitening' | 'random-projection' | 'kernel-pca' | 'umap' | 'tsne'

/** A fitted reducer: takes vectors of `inputDimensions` numbers and gives vectors of `dimensions`. */
export interface Reducer {
  readonly kind: ReducerKind
  readonly inputDimensions: number
  readonly dimensions: number
  /** Rows with NaN or infinities that `fit` left out, with `onError: 'skip'`. */
  readonly skipped: number
  /**
   * Vectors made shorter: a matrix of rows × `dimensions`.
   *
   * @throws `DIMENSION_MISMATCH`; `INPUT_INVALID` for rows with NaN, unless `onError: 'skip'`
   */
  transform(rows: Rows, options?: TransformOptions): Promise<Matrix>
  /** Writes it as a safetensors file, which `loadReducer` reads. @throws `WRITE_FAILED` */
  save(path: string): Promise<void>
}

/** Options of {@link LinearReducer.appendTo}. */
export interface AppendOptions {
  /** Name of the new output. Default `reduced`. */
  readonly name?: string
  /** Scale each result to length 1. Default `false`. */
  readonly normalize?: boolean
}

/** A reducer that is one product: (x − mean) · projection. */
export interface LinearReducer extends Reducer {
  readonly kind: 'pca' | 'lda' | 'whitening' | 'random-projection'
  /** Subtracted from each vector: `inputDimensions` numbers. */
  readonly mean: Float64Array
  /** `inputDimensions` × `dimensions`. */
  readonly projection: Matrix
  /** True if `inverse` works. */
  readonly invertible: boolean
  /**
   * Vectors as long as they were, from short ones: as near to the original as what was kept allows.
   *
   * @throws `OPTION_INVALID` where there is no way back (LDA)
   */
  inverse(rows: Rows, options?: TransformOptions): Promise<Matrix>
  /**
   * A graph with the reduction behind one of its outputs: subtraction and product run in the runtime, and short vectors leave it.
   *
   * @example
   * ```ts
   * const model = await open('mobilenet-v2')
   * const graph = reducer.appendTo(model.embedding({ pool: 'mean' }), 'embedding', { normalize: true })
   * await writeOnnx(graph, 'small.onnx')
   * ```
   *
   * @param output default: the only one of its outputs
   * @throws `LAYER_UNKNOWN` for an output that it does not have, `SHAPE_MISMATCH` for one of another length,
   *   `DTYPE_MISMATCH` for integers, `OPTION_INVALID` for a name that is taken
   */
  appendTo(graph: Graph, output?: string, options?: AppendOptions): Graph
  /**
   * A model whose embedding is short, for embedders, collections and files: the reduction is part of its graph and of its fingerprint, so that a
   * collection refuses vectors of other models and of other reducers.
   *
   * @example
   * ```ts
   * const small = await reducer.applyTo(await open('mobilenet-v2'))
   * const e = await embedder(small)                         // gives what transform gives
   * await small.export('mobilenet-64.onnx')                 // embedder('mobilenet-64.onnx'), pipilo embed --model mobilenet-64.onnx
   * ```
   *
   * @param options tap, pooling, normalisation and dimensions of the vectors that were fitted. Default: the card's
   * @throws `SHAPE_MISMATCH` for a model whose vectors have another length; what `Model.embedding` throws
   */
  applyTo(model: Model, options?: EmbeddingOptions): Promise<Model>
}

/** Result of `pca.fit` and `incrementalPca.fit`. */
export interface Pca extends LinearReducer {
  readonly kind: 'pca'
  /** `dimensions` × `inputDimensions`: directions of length 1, that of the most variance first, the largest number of each positive. */
  readonly components: Matrix
  /** Variance along each component (divided by rows − 1). */
  readonly explainedVariance: Float64Array
  /** The same as shares of all variance. */
  readonly explainedVarianceRatio: Float64Array
  /** True if results have variance 1. */
  readonly whiten: boolean
}

/** Result of `lda.fit`. */
export interface Lda extends LinearReducer {
  readonly kind: 'lda'
  /** The labels that were told apart, in order. */
  readonly classes: readonly (string | number)[]
  /** Shares of the variance between classes along each axis. */
  readonly explainedVarianceRatio: Float64Array
}
