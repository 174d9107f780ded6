// Types of the store: rows, hits, filters, collections.
import type { Embedder, Recipe } from '../embed/index.ts'
import type { EmbedderIdentity } from './identity.ts'

export type MetadataValue = string | number | boolean | null
export type Metadata = Readonly<Record<string, MetadataValue>>

export interface Row {
  readonly id: string
  readonly vector: Float32Array | readonly number[]
  readonly metadata?: Metadata
}

export interface Hit {
  readonly id: string
  /** Cosine similarity, best first. */
  readonly score: number
  readonly metadata: Metadata
}

/**
 * Conditions on one field, all of which must hold. A bare value means equality. Values are equal only within a type
 * (`'5'` is not `5`); a field that is missing counts as null; `ne` holds for it. Order is between numbers, or between
 * strings by code point.
 */
export type Condition =
  | MetadataValue
  | {
      readonly eq?: MetadataValue
      readonly ne?: MetadataValue
      readonly gt?: number | string
      readonly gte?: number | string
      readonly lt?: number | string
      readonly lte?: number | string
      readonly in?: readonly MetadataValue[]
    }

/** `{ year: { gte: 2020 }, kind: 'bird' }`: all fields must match. */
export type Filter = Readonly<Record<string, Condition>>

export interface SearchOptions {
  /** Number of hits. Default 10. */
  readonly k?: number
  readonly filter?: Filter
}

export interface WriteOptions {
  /** Ends the waiting for other writers with `ABORTED`. A write that has begun is finished; of a large one, the part under way. */
  readonly signal?: AbortSignal
}

export interface Collection {
  readonly name: string
  readonly dimensions: number
  /**
   * Recipe of the embedder that the vectors are of: `openRecipe` opens it again. Undefined when the collection was made from a dimension alone, or
   * before collections remembered recipes.
   */
  readonly recipe: Recipe | undefined
  /** Embedder of a collection from before there were recipes; such a one is compared and searched all the same. */
  readonly identity: EmbedderIdentity | undefined
  /**
   * Inserts or replaces by id; of rows with the same id the last one counts. Resolves when the rows are committed: the
   * end of the process, however it comes, loses none of them. Very large calls are committed in parts, in order.
   *
   * Writers of one collection take turns, in whatever threads, processes or machines they are, so that an id is stored
   * once: the last write counts. In a folder they wait for a lock (`.locks` beside the collections), which a writer's
   * death frees: at once on the same machine, after 30 s where it ran on another one or in another container. On object
   * storage there is no lock: the database notices that another has committed, and the write is done again on top.
   *
   * @throws `DIMENSION_MISMATCH`, or `INPUT_INVALID` for a vector that is not finite or all zeros (it has no cosine
   * similarity), and then nothing of the call is stored; `WRITE_FAILED` when the disk is full or read-only; `ABORTED`.
   */
  upsert(rows: readonly Row[], options?: WriteOptions): Promise<void>
  search(vector: Float32Array | readonly number[], options?: SearchOptions): Promise<Hit[]>
  /** In the order of `ids`; undefined for those that are not there. */
  get(
    ids: readonly string[],
  ): Promise<({ id: string; vector: Float32Array; metadata: Metadata } | undefined)[]>
  delete(ids: readonly string[], options?: WriteOptions): Promise<void>
  /** The metadata alone, without reading vectors; in the order of `ids`. */
  metadata(ids: readonly string[]): Promise<(Metadata | undefined)[]>
  /** Every row's id and metadata, in no particular order. */
  rows(): AsyncIterable<{ id: string; metadata: Metadata }>
  count(): Promise<number>
  /**
   * Brings the index and the files in order now. Not needed: it happens by itself in the background as a collection
   * grows. Useful after a large import, before measuring searches.
   */
  optimize(): Promise<void>
  /** Waits for writes and for work in the background; throws what failed in the latter (no row is lost by it). */
  close(): Promise<void>
}

export interface CollectionOptions {
  /**
   * The embedder whose vectors go in: its recipe is remembered, and another embedder's vectors are refused (`COLLECTION_MISMATCH` says in what
   * they differ). Prompt, limit and chunks may differ: a query is read otherwise than a document.
   */
  readonly embedder?: Pick<Embedder, 'recipe' | 'dimensions'> & Partial<Pick<Embedder, 'model'>>
  /** Instead of an embedder. */
  readonly dimensions?: number
}

export interface ConnectOptions {
  /** Rows from which a collection gets an index. Default 20,000: below, an exact search is as quick. */
  readonly indexAt?: number
  /** For object storage: credentials, region and the like, as LanceDB takes them. */
  readonly storageOptions?: Readonly<Record<string, string>>
}

/** A database of collections. */
export interface Store {
  /** Opens a collection, or creates it when it is not there (then an embedder or a dimension is needed). */
  collection(name: string, options?: CollectionOptions): Promise<Collection>
  list(): Promise<string[]>
  drop(name: string): Promise<void>
  close(): Promise<void>
}
