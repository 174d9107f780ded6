/** Data sets of vectors: each row's picture or text embedded once, for heads on frozen networks. */
import { PipiloError } from '../base/index.ts'
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
 *
 * @throws `INPUT_INVALID` for pictures with an embedder of texts, or texts with one of pictures
 */
export async function embedDataset(
  data: Dataset,
  embedder: Embedder,
  options: {
    readonly signal?: AbortSignal
    readonly onProgress?: (event: { done: number; total: number }) => void
  } = {},
): Promise<Dataset> {
  const column = columnFor(data, embedder)
  const rows: VectorRow[] = []
  for (let start = 0; start < data.length; start += PART) {
    const part = await data.getMany(
      Array.from({ length: Math.min(PART, data.length - start) }, (_, i) => start + i),
    )
    const inputs = part.map((row) =>
      embedder.modality === 'text-image' ? { [column]: row[column] } : row[column],
    ) as AnyInput[]
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

/** The column to embed. A text model would take the path of a picture for a text, and find its class in it. */
function columnFor({ columns, name }: Dataset, { modality, recipe }: Embedder): 'image' | 'text' {
  const column = columns.includes('image') ? 'image' : 'text'
  if (modality === 'text-image' || modality === column) return column
  throw new PipiloError(
    'INPUT_INVALID',
    `${name} has ${column === 'image' ? 'pictures' : 'texts'}; ${recipe.source.name} takes none.`,
    { input: name, hint: `Choose a model of ${column === 'image' ? 'pictures' : 'texts'}.` },
  )
}
