// The embedder of a collection's queries, opened by the collection's recipe.
import { PipiloError } from '../base/index.ts'
import {
  type Embedder,
  inputFor,
  openRecipe,
  queryPrompt,
  type Recipe,
  refuseModality,
} from '../embed/index.ts'
import type { Isolation } from '../runtime/index.ts'
import type { Matrix } from '../tensor/index.ts'
import type { CollectionInfo } from './backend.ts'
import type { CollectionOptions, Query } from './types.ts'

/** A query that has to be embedded. */
export type ModelQuery = Exclude<Query, Float32Array | readonly number[] | { readonly id: string }>

type Given = NonNullable<CollectionOptions['embedder']>
type QueryEmbedder = Given & Required<Pick<Given, 'card' | 'modality' | 'embed'>>

const isQueryEmbedder = (given: Given | undefined): given is QueryEmbedder =>
  given?.embed !== undefined && given.card !== undefined && given.modality !== undefined

/** Opens a collection's own model with the first query, and keeps it. */
export class QueryModel {
  readonly #name: string
  readonly #info: CollectionInfo
  /** The caller's own, of a model behind HTTP; it is not disposed of here. */
  readonly #given: QueryEmbedder | undefined
  #embedder: Promise<Embedder<Float32Array | Matrix>> | undefined

  readonly #isolate: Isolation

  /**
   * @param name of the collection, for errors
   * @param options that the collection was opened with
   */
  constructor(
    name: string,
    info: CollectionInfo,
    { embedder: given, isolate = false }: CollectionOptions = {},
  ) {
    this.#isolate = isolate
    this.#name = name
    this.#info = info
    this.#given = info.recipe?.source.remote && isQueryEmbedder(given) ? given : undefined
  }

  /** @throws `INPUT_INVALID` for a kind of input that the model does not take, or a collection that does not say which model made it */
  async embed(query: ModelQuery, signal: AbortSignal | undefined): Promise<Float32Array> {
    const { recipe } = this.#info
    if (!recipe) {
      throw new PipiloError(
        'INPUT_INVALID',
        `The collection "${this.#name}" does not hold the recipe of the model that made it.`,
        { hint: 'Embed the query with that model and search for the vector.' },
      )
    }
    const isText = 'text' in query
    const modality = isText ? 'text' : 'image'
    const refused = refuseModality(
      { name: recipe.source.name, modality: recipe.modality },
      { id: 'The query', modality },
      'Search a collection of the other kind.',
    )
    if (refused) throw refused
    const embedder = this.#given ?? (await this.#opened(recipe))
    const input = isText ? query.text : query.image
    const prompt = isText ? (query.prompt ?? queryPrompt(embedder)) : undefined
    const { vectors } = await embedder.embed([inputFor(embedder, { input, modality })], {
      ...(prompt !== undefined && { prompt }),
      ...(signal && { signal }),
    })
    return vectors[0] as Float32Array
  }

  #opened(recipe: Recipe): Promise<Embedder<Float32Array | Matrix>> {
    this.#embedder ??= openRecipe(recipe, { isolate: this.#isolate }).catch((error) => {
      this.#embedder = undefined
      throw error
    })
    return this.#embedder
  }

  async dispose(): Promise<void> {
    const embedder = await this.#embedder?.catch(() => undefined)
    this.#embedder = undefined
    await embedder?.dispose()
  }
}
