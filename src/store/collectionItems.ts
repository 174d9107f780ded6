// Rows of a collection as items of a map, with their vectors.
import type { MapItem } from '../atlas/index.ts'
import { checkOptions, is, type OptionTable, PipiloError } from '../base/index.ts'
import type { Collection, Metadata } from './types.ts'

/** Rows that are asked of a collection at once. */
const ROWS = 1000

/** Options of {@link collectionItems}. */
export interface CollectionItemsOptions {
  /** Metadata field that is the label. Default: items have none. */
  readonly label?: string
  /** Rows at most; of more, every so many in the order of their ids. Default: all. */
  readonly most?: number
}

const optionTypes: OptionTable<CollectionItemsOptions> = { label: is.text, most: is.count(1) }

/** See `collectionItems` in onDemand.ts. */
export async function collectionItems(
  collection: Collection,
  options: CollectionItemsOptions = {},
): Promise<{ readonly items: readonly MapItem[]; readonly vectors: readonly Float32Array[] }> {
  checkOptions<CollectionItemsOptions>('collectionItems', options, optionTypes)
  const { label, most = Number.POSITIVE_INFINITY } = options
  const items: MapItem[] = []
  const vectors: Float32Array[] = []
  const all: { readonly id: string; readonly metadata: Metadata }[] = []
  for await (const row of collection.rows()) all.push(row)
  all.sort((a, b) => (a.id < b.id ? -1 : 1))
  if (label !== undefined && !all.some(({ metadata }) => metadata[label] != null)) {
    throw new PipiloError('INPUT_INVALID', `No row of ${collection.name} has a field ${label}.`, {
      input: 'label',
    })
  }
  const rows =
    all.length <= most
      ? all
      : Array.from({ length: most }, (_, i) => all[Math.floor((i * all.length) / most)]!)
  for (let start = 0; start < rows.length; start += ROWS) {
    const batch = rows.slice(start, start + ROWS)
    const found = await collection.get(batch.map(({ id }) => id))
    for (const [i, { id, metadata }] of batch.entries()) {
      const vector = found[i]?.vector
      // Deleted meanwhile.
      if (!vector) continue
      const { text, path } = metadata
      const value = label === undefined ? undefined : metadata[label]
      items.push({
        id,
        ...(typeof text === 'string' ? { text } : typeof path === 'string' ? { picture: path } : {}),
        ...(value != null && { label: String(value) }),
      })
      vectors.push(vector)
    }
  }
  return { items, vectors }
}
