// Functions of this room's door; each loads its code with its first call.

import { lazily, withOptions } from '../base/index.ts'
import * as types from './optionTypes.ts'

/**
 * Principal component analysis: the directions along which vectors vary most.
 *
 * @example
 * ```ts
 * const { vectors } = await e.embed(texts)
 * const reducer = await pca.fit(vectors, { components: 64 })
 * const short = await reducer.transform(vectors)          // { rows, columns: 64, data }
 * await reducer.save('pca.safetensors')                   // loadReducer('pca.safetensors')
 * reducer.explainedVarianceRatio                          // share of the variance along each
 * ```
 *
 * @remarks
 * Agrees with scikit-learn's PCA, signs included. Products run on ONNX Runtime in doubles; eigenvalues are ml-matrix's, on a thread of their own where the matrix is
 * large (all of 384 take half a second, and the time grows with the cube), or for less than a quarter of them a subspace iteration's. A constant column has no share in any direction that varies.
 *
 * @throws `INPUT_INVALID` for less than two rows and for rows with NaN (see `onError`), `DIMENSION_MISMATCH` for rows of several lengths,
 *   `OPTION_INVALID` for more components than rows or columns, and for `whiten` along directions without variance, `ABORTED`
 */
export const pca = {
  fit: lazily(async () => withOptions('pca.fit', 1, types.pca, (await import('./linear/pca.ts')).fitPca)),
}

/**
 * PCA of rows that come in batches and are read once: memory does not grow with their number.
 *
 * @example
 * ```ts
 * async function* batches() {
 *   for await (const file of files) yield await readNpyMatrix(file)
 * }
 * const reducer = await incrementalPca.fit(batches(), { components: 64 })
 * ```
 *
 * @remarks
 * Means and products are kept of all rows so far (columns² doubles), so the result is that of `pca.fit` on all of them, and no approximation.
 * A batch may have one row. `onProgress` does not know the total: it is what has come.
 *
 * @throws what `pca.fit` throws
 */
export const incrementalPca = {
  fit: lazily(async () =>
    withOptions('incrementalPca.fit', 1, types.pca, (await import('./linear/pca.ts')).fitIncrementalPca),
  ),
}

/**
 * Vectors turned and scaled until they have variance 1 in every direction and no two numbers go together.
 *
 * @example
 * ```ts
 * const reducer = await whitening.fit(vectors, { method: 'zca', epsilon: 1e-5 })
 * ```
 *
 * @throws what `pca.fit` throws; `OPTION_INVALID` for data without variance in a direction, unless `epsilon` is above 0
 */
export const whitening = {
  fit: lazily(async () =>
    withOptions('whitening.fit', 1, types.whitening, (await import('./linear/whitening.ts')).fitWhitening),
  ),
}

/**
 * The singular values of vectors as they are (no mean is subtracted), largest first.
 *
 * @example
 * ```ts
 * const values = await singularValues(vectors)            // Float64Array, as many as rows or columns, whichever are fewer
 * ```
 *
 * @remarks
 * Roots of the eigenvalues of the smaller of both products with the transpose, in doubles; a value that is
 * no larger than their rounding, about 1e-7 of the largest, is 0.
 *
 * @throws what `pca.fit` throws
 */
export const singularValues = lazily(async () =>
  withOptions('singularValues', 1, types.fit, (await import('./linear/singularValues.ts')).singularValues),
)

/**
 * Linear discriminant analysis: the directions along which classes lie apart, as against the spread within them.
 *
 * @example
 * ```ts
 * const reducer = await lda.fit(vectors, labels)          // at most one dimension less than classes
 * ```
 *
 * @remarks
 * Agrees with scikit-learn's LinearDiscriminantAnalysis (solver `svd`), up to the sign of each axis. Columns that are constant within all classes have no share.
 *
 * @throws `INPUT_INVALID` for one class only, for no more rows than classes, and as many labels as there are not rows; `OPTION_INVALID` for more
 *   components than classes − 1 or columns; what `pca.fit` throws
 */
export const lda = {
  fit: lazily(async () => withOptions('lda.fit', 2, types.lda, (await import('./linear/lda.ts')).fitLda)),
}

/**
 * Random projection: fewer numbers, distances kept within a bound, and nothing learnt of the data but their length.
 *
 * @example
 * ```ts
 * const reducer = await randomProjection.fit(vectors, { components: 128, seed: 1 })
 * ```
 *
 * @throws `OPTION_INVALID` for more components than columns; what `pca.fit` throws
 */
export const randomProjection = {
  fit: lazily(async () =>
    withOptions(
      'randomProjection.fit',
      1,
      types.randomProjection,
      (await import('./linear/randomProjection.ts')).fitRandomProjection,
    ),
  ),
}

/**
 * Kernel PCA: principal components in the space of a kernel, which follow curved shapes.
 *
 * @example
 * ```ts
 * const reducer = await kernelPca.fit(vectors, { kernel: 'rbf', gamma: 0.5, components: 16, inverse: true })
 * ```
 *
 * @remarks
 * Agrees with scikit-learn's KernelPCA, up to the sign of each axis. Memory takes rows² doubles; above 20,000 rows it is refused.
 *
 * @throws `OPTION_INVALID` for more components than the data have directions in the kernel's space, `RESULT_INVALID` for kernels that are no finite
 *   numbers; what `pca.fit` throws
 */
export const kernelPca = {
  fit: lazily(async () =>
    withOptions('kernelPca.fit', 1, types.kernelPca, (await import('./kernel/kernelPca.ts')).fitKernelPca),
  ),
}

/**
 * UMAP: a map in few dimensions in which near rows stay near, and into which new rows can be put.
 *
 * @example
 * ```ts
 * const map = await umap.fit(vectors, { metric: 'cosine', neighbors: 15, minDistance: 0.1, seed: 1 })
 * map.embedding                                           // rows × 2
 * await map.transform(others)                             // their places in the same map
 * ```
 *
 * @remarks
 * Neighbours are exact, found on ONNX Runtime. Places begin along the principal components (umap-learn: the eigenvectors of the graph). The event loop stays free. The same seed gives the same map on one machine; another
 * processor may round otherwise, and maps of this kind then differ.
 *
 * @throws `OPTION_INVALID` for more neighbours than rows, `INPUT_INVALID` for less than three rows, and for rows of zeros with `metric: 'cosine'`;
 *   what `pca.fit` throws
 * @see https://arxiv.org/abs/1802.03426
 */
export const umap = {
  fit: lazily(async () => withOptions('umap.fit', 1, types.umap, (await import('./maps/umap.ts')).fitUmap)),
}

/**
 * t-SNE: a map in the plane in which near rows stay near. Distances of far rows, and sizes of groups, mean little.
 *
 * @example
 * ```ts
 * const { embedding, divergence } = await tsne.fit(vectors, { perplexity: 30, seed: 1, onProgress, signal })
 * ```
 *
 * @remarks
 * Barnes and Hut's method over the exact 3 × perplexity nearest neighbours; the time grows with n log n. Steps, gains and rates are those of
 * scikit-learn. The event loop stays free. New rows have no place in the map: take UMAP for that.
 *
 * @throws `OPTION_INVALID` for a perplexity of as many as rows or more, `INPUT_INVALID` for less than four rows; what `pca.fit` throws
 * @see https://jmlr.org/papers/v15/vandermaaten14a.html
 */
export const tsne = {
  fit: lazily(async () => withOptions('tsne.fit', 1, types.tsne, (await import('./maps/tsne.ts')).fitTsne)),
}

/**
 * How far a map keeps neighbourhoods, from 0 to 1: near places that are not of near rows lower it, by how far those are.
 *
 * @example
 * ```ts
 * await trustworthiness(vectors, map.embedding, { k: 10 }) // 0.98
 * ```
 *
 * @remarks
 * As scikit-learn's. It compares all rows with all: take a few thousand.
 *
 * @throws `INPUT_INVALID` for as many rows as there are not places, and for rows with NaN; `OPTION_INVALID` for a `k` of half the rows or more
 */
export const trustworthiness = lazily(async () =>
  withOptions(
    'trustworthiness',
    2,
    types.trustworthiness,
    (await import('./maps/trustworthiness.ts')).measureTrustworthiness,
  ),
)

/**
 * Reads a reducer that `save` wrote, of any kind; what it gives is what it gave before, to the last bit.
 *
 * @example
 * ```ts
 * const reducer = await loadReducer('pca.safetensors')
 * if (reducer.kind === 'pca') console.log(reducer.explainedVarianceRatio)
 * const short = await reducer.transform(vectors)
 * ```
 *
 * @throws `FILE_NOT_FOUND`, `FORMAT_INVALID`, `FORMAT_UNSUPPORTED`
 */
export const loadReducer = lazily(async () => (await import('./load.ts')).loadReducer)

/**
 * Vectors in a quarter (`int8`) or a thirty-second (`binary`) of their bytes, and search among them.
 *
 * @example
 * ```ts
 * const small = await quantize(vectors, 'binary')
 * const hits = await small.search(query, { k: 10, rescore: vectors }) // [{ index, score }, …]
 * ```
 *
 * @remarks
 * Codes are those of sentence-transformers' `quantize_embeddings` (`int8`, `ubinary`). Scores are dot products: cosines for vectors of length 1, as embedders
 * give; for `binary`, from the bits that differ. With `rescore`, the best 4 × k are compared again in floats.
 *
 * @throws `INPUT_INVALID` for no vectors and for NaN (see `onError`), `DIMENSION_MISMATCH`, `OPTION_INVALID`
 */
export const quantize = lazily(async () =>
  withOptions('quantize', 2, types.quantize, (await import('./quantized/quantize.ts')).quantizeRows),
)

/**
 * Reads vectors that `Quantized.save` wrote.
 *
 * @example
 * ```ts
 * const small = await loadQuantized('vectors.int8.safetensors')
 * ```
 *
 * @throws `FILE_NOT_FOUND`, `FORMAT_INVALID`
 */
export const loadQuantized = lazily(async () => (await import('./quantized/quantize.ts')).readQuantized)

/**
 * Bytes a vector and recall of float32, int8 and binary, the latter two with and without rescoring.
 *
 * @example
 * ```ts
 * console.table(await compareQuantized(vectors, queries, { k: 10 }))
 * ```
 *
 * @throws what {@link quantize} throws
 */
export const compareQuantized = lazily(async () =>
  withOptions(
    'compareQuantized',
    2,
    types.compareQuantized,
    (await import('./quantized/compare.ts')).compareQuantizations,
  ),
)
