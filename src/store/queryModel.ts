// The embedder of a collection's queries, opened by the collection's recipe.
import { PipiloError } from '../base/index.ts'
import { type Embedder, inputFor, openRecipe, queryPrompt, refuseModality } from '../embed/index.ts'
import type { Matrix } from '../tensor/index.ts'
import type { CollectionInfo } from './backend.ts'
import type { Query } from './types.ts'

/** A query that has to be embedded. */
export type ModelQuery = Exclude<Query, Float32Array | readonly number[] | { readonly id: string }>

/** Opens a collection's own model with the first query, and keeps it. */
export class QueryModel {
  readonly #name: string
  readonly #info: CollectionInfo
  #embedder: Promise<Embedder<Float32Array | Matrix>> | undefined

  readonly #isolate: boolean

  /**
   * @param name of the collection, for errors
   * @param isolate in a child process
   */
  constructor(name: string, info: CollectionInfo, isolate: boolean) {
    this.#isolate = isolate
    this.#name = name
    this.#info = info
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
    this.#embedder ??= openRecipe(recipe, this.#isolate ? { isolate: true } : {}).catch((error) => {
      this.#embedder = undefined
      throw error
    })
    const embedder = await this.#embedder
    const input = isText ? query.text : query.image
    const prompt = isText ? (query.prompt ?? queryPrompt(embedder)) : undefined
    const { vectors } = await embedder.embed([inputFor(embedder, { input, modality })], {
      ...(prompt !== undefined && { prompt }),
      ...(signal && { signal }),
    })
    return vectors[0] as Float32Array
  }

  async dispose(): Promise<void> {
    const embedder = await this.#embedder?.catch(() => undefined)
    this.#embedder = undefined
    await embedder?.dispose()
  }
}
