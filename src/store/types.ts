// Types of the store: rows, hits, filters, collections.
import type { Embedder, Input, Prompt, Recipe } from '../embed/index.ts'
import type { Isolation } from '../runtime/index.ts'
import type { EmbedderIdentity } from './identity.ts'

export type MetadataValue = string | number | boolean | null
export type Metadata = Readonly<Record<string, MetadataValue>>

export interface Row {
  readonly id: string
  readonly vector: Float32Array | readonly number[]
  /**
   * A flat object; a `Date` is stored as its ISO 8601 form in UTC (`2024-05-01T00:00:00.000Z`). `or` and `not` are no names of fields: they are
   * words of filters.
   */
  readonly metadata?: Readonly<Record<string, MetadataValue | Date>>
}

export interface Hit {
  readonly id: string
  /** Cosine similarity, best first. Of a hybrid search: the sum of reciprocal ranks, at most 2/61. */
  readonly score: number
  readonly metadata: Metadata
}

/**
 * Conditions on one field, all of which must hold. A bare value means equality. Values are equal only within a type
 * (`'5'` is not `5`); a field that is missing counts as null; `ne` holds for it. Order is between numbers, or between
 * strings by code point. `contains` and `startsWith` tell upper from lower case. A `Date` is compared as its ISO 8601 form, as rows store it.
 */
export type Condition =
  | MetadataValue
  | Date
  | {
      readonly eq?: MetadataValue | Date
      readonly ne?: MetadataValue | Date
      readonly gt?: number | string | Date
      readonly gte?: number | string | Date
      readonly lt?: number | string | Date
      readonly lte?: number | string | Date
      readonly in?: readonly (MetadataValue | Date)[]
      readonly contains?: string
      readonly startsWith?: string
    }

/**
 * Conditions on metadata: all fields must match, at least one of the filters in `or`, and not the filter in `not`.
 *
 * @example
 * ```ts
 * const filter = { year: { gte: 2020 }, or: [{ kind: 'bird' }, { title: { contains: 'wing' } }], not: { draft: true } }
 * ```
 *
 * @remarks
 * A field that no row of the collection has or had is an error (`OPTION_INVALID`), which names the closest one. So is a comparison of a field with a
 * value of a type that no row has or had there (`year: '2020'`, where all years are numbers), which would find nothing whatever it meant.
 */
export interface Filter {
  readonly or?: readonly Filter[]
  readonly not?: Filter
  readonly [field: string]: Condition | Filter | readonly Filter[] | undefined
}

/** A query: a vector, an input of the collection's own model, or a row of the collection. */
export type Query =
  | Float32Array
  | readonly number[]
  /** Embedded with the model's prompt of queries, unless the query brings its own. */
  | { readonly text: string; readonly prompt?: Prompt }
  | { readonly image: Input }
  /** Neighbours of a row that is stored; the row itself is left out. */
  | { readonly id: string }

export interface SearchOptions {
  /** Number of hits. Default 10. */
  readonly k?: number
  readonly filter?: Filter
  /**
   * Of hits with the same content only the best counts: of the same `sha256` and `text`, or, where rows have neither, of the same vector. A
   * field's name makes it one hit for each value of that field (rows without it all count): `distinct: 'path'`. Default `false`.
   */
  readonly distinct?: boolean | string
  /**
   * Searches words beside the vectors, in the metadata field `field` (default `text`), by BM25, and joins both lists by reciprocal ranks: a hit's
   * score is the sum of 1 / (60 + its rank) over the lists that it is in (Cormack, Clarke and Büttcher, SIGIR 2009). `true` searches the words
   * of the query `{ text }`; another query needs `words`. Words are compared as they are, but for case and accents, and none is stemmed. A
   * hit by words whose BM25 is less than a fifth of the best one's is none: it shares but words that most rows have. The first such search builds an index of the words.
   */
  readonly hybrid?: boolean | { readonly words?: string; readonly field?: string }
  /** Compares with every row, also where there is an index, which may miss some. Default `false`. */
  readonly exact?: boolean
  /** Partitions of the index (of about 4,096 rows) that are read: more miss less and take longer. Default 64, with a filter 256. */
  readonly probes?: number
  /** Ends the embedding of the query with `ABORTED`. */
  readonly signal?: AbortSignal
}

/** Memory of a collection of the files that `indexFiles` reads into it. */
export interface FilesMemory {
  /** Folder that paths and ids are relative to: the working folder of the first run. */
  readonly root: string
  /** Options of the last run that said them, which later ones follow. */
  readonly chunk?: { readonly tokens?: number; readonly overlap?: number }
  readonly columns?: readonly string[]
  readonly encoding?: string
}

/** A metadata field of a collection. */
export interface Field {
  readonly name: string
  /** Types of the values that rows have or had; none if it was always null. */
  readonly types: readonly ('number' | 'string' | 'boolean')[]
}

export interface OptimizeOptions {
  /**
   * Says that nobody else uses the collection, in any process: only then are replaced files deleted on object storage, where nobody can be kept
   * from writing. In a folder it is not needed, and a mistake loses rows. Default `false`.
   */
  readonly alone?: boolean
}

export interface WriteOptions {
  /** Ends the waiting for other writers with `ABORTED`. A write that has begun is finished; of a large one, the part under way. */
  readonly signal?: AbortSignal
}

/**
 * A collection of vectors, open. Once it is deleted, by whomever, all that it is asked is `COLLECTION_UNKNOWN`; made again for vectors of another kind,
 * `COLLECTION_MISMATCH`.
 */
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
   * storage there is no lock: the database notices that another has committed, and the write is done again on top. No clock decides
   * anything: one that is wrong by days loses nothing.
   *
   * @throws `DIMENSION_MISMATCH`, or `INPUT_INVALID` for a vector that is not finite or all zeros (it has no cosine
   * similarity), and then nothing of the call is stored; `WRITE_FAILED` when the disk is full or read-only; `ABORTED`.
   */
  upsert(rows: readonly Row[], options?: WriteOptions): Promise<void>
  /**
   * Finds the nearest rows.
   *
   * @example
   * ```ts
   * await birds.search({ text: 'a small brown bird' }, { k: 5, filter: { year: { gte: 2020 } }, distinct: true })
   * ```
   *
   * @remarks
   * A text or a picture is embedded by the collection's own model, which is opened by its recipe with the first such query and kept until the
   * collection is closed.
   *
   * @throws `OPTION_INVALID` for a filter on an unknown field, or with a type that no row has there; `INPUT_INVALID` for a query that the collection cannot take, or an id that is not
   * stored; `DIMENSION_MISMATCH`
   */
  search(query: Query, options?: SearchOptions): Promise<Hit[]>
  /** In the order of `ids`; undefined for those that are not there. */
  get(
    ids: readonly string[],
  ): Promise<({ id: string; vector: Float32Array; metadata: Metadata } | undefined)[]>
  /**
   * Deletes rows by their ids, or all that match a filter; resolves to how many there were.
   *
   * @throws `OPTION_INVALID` for a filter on an unknown field, with a type that no row has there, or without any condition: `store.drop` deletes a whole collection
   */
  delete(which: readonly string[] | Filter, options?: WriteOptions): Promise<number>
  /** The metadata alone, without reading vectors; in the order of `ids`. */
  metadata(ids: readonly string[]): Promise<(Metadata | undefined)[]>
  /** Every row's id and metadata, in no particular order. */
  rows(): AsyncIterable<{ id: string; metadata: Metadata }>
  count(): Promise<number>
  /** The metadata fields that rows have or had, by name: what a filter can name. */
  fields(): Promise<Field[]>
  /** Memory of the files that were indexed; undefined where none were, or only by versions that remembered nothing. */
  filesMemory(): Promise<FilesMemory | undefined>
  /** Changes {@link Collection.filesMemory}, in a turn of its own; resolves to what holds then. */
  rememberFiles(change: (before: FilesMemory | undefined) => FilesMemory): Promise<FilesMemory>
  /** Size of what is stored, in bytes; old versions, which upkeep deletes later, are not counted. */
  bytes(): Promise<number>
  /**
   * Brings the index and the files in order now. Not needed: it happens by itself in the background as a collection
   * grows. Useful after a large import, before measuring searches.
   */
  optimize(options?: OptimizeOptions): Promise<void>
  /** Waits for writes and for work in the background; throws what failed in the latter (no row is lost by it). */
  close(): Promise<void>
}

export interface CollectionOptions {
  /**
   * The embedder whose vectors go in: its recipe is remembered, and another embedder's vectors are refused (`COLLECTION_MISMATCH` says in what
   * they differ). Prompt, limit and chunks may differ: a query is read otherwise than a document. Queries of texts and pictures are embedded by one
   * that `remote` gave itself, until it is disposed: a recipe sends nothing to a server.
   */
  readonly embedder?: Pick<Embedder, 'recipe' | 'dimensions'> &
    Partial<Pick<Embedder, 'model' | 'embed' | 'card' | 'modality'>>
  /** Instead of an embedder. */
  readonly dimensions?: number
  /** Run the collection's own model, which embeds queries, in a child process; see the option of `embedder`. Default `false`. */
  readonly isolate?: Isolation
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
