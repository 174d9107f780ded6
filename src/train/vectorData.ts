/** Data sets of vectors: each row's picture or text embedded once, for heads on frozen networks. */
import type { AnyInput, ColumnName, Dataset, DatasetRow, Embedder } from '../embed/index.ts'

/** A row with its vector. */
export type VectorRow = DatasetRow & { readonly vector: Float32Array }

/** Rows embedded at a time. */
const PART = 256

/**
 * A data set whose rows have a column `vector` as well: the embedding of their picture, or else of their text.
 *
 * @example
 * ```ts
 * const vectors = await embedDataset(await readDataset('photos/'), await embedder('mobilenet-v2'))
 * ```
 *
 * @remarks All vectors are held in memory. The hash says the content and the embedder's recipe.
 */
export async function embedDataset(
  data: Dataset,
  embedder: Embedder,
  options: {
    readonly signal?: AbortSignal
    readonly onProgress?: (event: { done: number; total: number }) => void
  } = {},
): Promise<Dataset> {
  const column = data.columns.includes('image') ? 'image' : 'text'
  const rows: VectorRow[] = []
  for (let start = 0; start < data.length; start += PART) {
    const part = await data.getMany(
      Array.from({ length: Math.min(PART, data.length - start) }, (_, i) => start + i),
    )
    const inputs = part.map((row) => row[column] as AnyInput)
    const { vectors } = await embedder.embed(inputs, options.signal ? { signal: options.signal } : {})
    for (const [i, row] of part.entries()) rows.push({ ...row, vector: vectors[i]! })
    options.onProgress?.({ done: rows.length, total: data.length })
  }
  const getMany = async (indices: ArrayLike<number>) => Array.from(indices, (index) => rows[index]!)
  return {
    ...data,
    // No file has such a column: readers do not know its name.
    columns: [...data.columns, 'vector' as ColumnName],
    getMany,
    get: async (index) => rows[index]!,
    nameOf: (index) => data.nameOf(index),
    hash: async () => `${await data.hash()}/${JSON.stringify(embedder.recipe)}`,
    async *[Symbol.asyncIterator]() {
      yield* rows
    },
  }
}
