// Interface of a database that collections are kept in.
import type { Recipe } from '../embed/index.ts'
import type { Predicate } from './filter.ts'
import type { EmbedderIdentity } from './identity.ts'
import type { Field, Hit, Metadata, OptimizeOptions, WriteOptions } from './types.ts'

/** Facts of a collection that are fixed when it is created. */
export interface CollectionInfo {
  readonly dimensions: number
  readonly recipe?: Recipe | undefined
  /** Identity in place of a recipe, of collections of Pipilo 0.1. */
  readonly identity?: EmbedderIdentity | undefined
}

/** A row as a backend sees it: checked, its vector finite, of the right length and not zero. */
export interface StoredRow {
  readonly id: string
  readonly vector: Float32Array
  readonly metadata: Metadata
}

/** How far a search goes. */
export interface Nearest {
  readonly k: number
  /** All must hold. */
  readonly predicates: readonly Predicate[]
  /** Compares with every row, index or not. */
  readonly exact?: boolean | undefined
  /** Partitions of the index that are read. */
  readonly probes?: number | undefined
}

/**
 * One collection of a {@link Backend}. Vectors, ids and predicates have been checked by the caller; what fails here is
 * the database itself, and becomes a `STORE_FAILED` or `WRITE_FAILED`.
 */
export interface BackendTable {
  readonly info: CollectionInfo
  /** The folder of the database; undefined on object storage. */
  readonly folder: string | undefined
  /** A text that is kept beside the rows. */
  note(): Promise<string | undefined>
  /** Changes that text, in a turn of its own. */
  changeNote(change: (before: string | undefined) => string): Promise<void>
  /** Inserts or replaces by id; ids are distinct. Rows are committed when it resolves. Calls may overlap. */
  upsert(rows: readonly StoredRow[], options: WriteOptions): Promise<void>
  /** By cosine, which is the score. Throws `OPTION_INVALID` for predicates on fields that no row ever had, or with types that none had there. */
  search(vector: Float32Array, nearest: Nearest): Promise<Hit[]>
  /** By the words of a metadata field, best first, with the backend's own score. */
  searchText(words: string, field: string, nearest: Nearest): Promise<Hit[]>
  get(ids: readonly string[]): Promise<Map<string, StoredRow>>
  /** As {@link get}, without reading the vectors. */
  metadata(ids: readonly string[]): Promise<Map<string, Metadata>>
  rows(): AsyncIterable<{ id: string; metadata: Metadata }>
  /** Resolves to how many of them there were. */
  delete(ids: readonly string[], options: WriteOptions): Promise<number>
  /** All rows for which all predicates hold. */
  deleteWhere(predicates: readonly Predicate[], options: WriteOptions): Promise<number>
  count(): Promise<number>
  /** The metadata keys that rows have or had, by name. */
  fields(): Promise<Field[]>
  /** Size on the disk. */
  bytes(): Promise<number>
  /** Brings files and index in order now, rather than when the backend thinks fit. */
  optimize(options?: OptimizeOptions): Promise<void>
  /** Waits for work in the background, and throws what failed in it. */
  close(): Promise<void>
}

/** A kind of database: one file implements it, and `connect` chooses it by the address's scheme. */
export interface Backend {
  list(): Promise<string[]>
  /** Undefined when there is no such collection. */
  open(name: string): Promise<BackendTable | undefined>
  /** Creates it, or opens the one that another process has just created. */
  create(name: string, info: CollectionInfo): Promise<BackendTable>
  /** False when there was none. */
  drop(name: string): Promise<boolean>
  close(): Promise<void>
}
