import type { EmbedderIdentity } from '../embed/index.ts'

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

/** Conditions on one field, all of which must hold. A bare value means equality. */
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

export interface Collection {
  readonly name: string
  readonly dimensions: number
  /** The embedder whose vectors these are; undefined when the collection was made from a dimension alone. */
  readonly identity: EmbedderIdentity | undefined
  /** Inserts or replaces by id. Resolves when the rows are durable. */
  upsert(rows: readonly Row[]): Promise<void>
  search(vector: Float32Array | readonly number[], options?: SearchOptions): Promise<Hit[]>
  /** In the order of `ids`; undefined for those that are not there. */
  get(
    ids: readonly string[],
  ): Promise<({ id: string; vector: Float32Array; metadata: Metadata } | undefined)[]>
  delete(ids: readonly string[]): Promise<void>
  count(): Promise<number>
  close(): Promise<void>
}

export interface CollectionOptions {
  /** The embedder whose vectors go in: its identity and dimension are remembered and checked. */
  readonly embedder?: { readonly identity: EmbedderIdentity; readonly dimensions: number }
  /** Instead of an embedder. */
  readonly dimensions?: number
}

/** A database of collections. */
export interface Store {
  /** Opens a collection, or creates it when it is not there (then an embedder or a dimension is needed). */
  collection(name: string, options?: CollectionOptions): Promise<Collection>
  list(): Promise<string[]>
  drop(name: string): Promise<void>
  close(): Promise<void>
}
