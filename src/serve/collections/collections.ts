// Collections of a server's database, each open once, and the vectors that their queries and rows get.
import { PipiloError } from '../../base/index.ts'
import {
  type Embedder,
  inputFor,
  type Prompt,
  queryPrompt,
  type Recipe,
  refuseModality,
} from '../../embed/index.ts'
import type { InputModality } from '../../models/index.ts'
import { type Collection, connect, type Hit, type SearchOptions, type Store } from '../../store/index.ts'
import { Refusal } from '../http/refusal.ts'
import type { Route } from '../http/route.ts'
import type { Embedding } from '../models/embedding.ts'
import type { Offered, Reading } from '../models/modelTable.ts'

/** A query of a request: pictures are bytes. */
export type ServedQuery =
  | { readonly text: string; readonly prompt?: Prompt | undefined }
  | { readonly image: Uint8Array }
  | { readonly vector: readonly number[] }
  | { readonly id: string }

/** Stands for who asks. */
export interface Asking {
  readonly client: string
  readonly signal: AbortSignal
}

const isOfCollection = (error: unknown): boolean =>
  error instanceof PipiloError && ['COLLECTION_UNKNOWN', 'COLLECTION_MISMATCH'].includes(error.code)

/** Collections that are open. */
export class Collections {
  readonly #db: string
  readonly #embedding: Embedding
  #store: Promise<Store> | undefined
  readonly #open = new Map<string, Promise<Collection>>()
  /** Requests that fill a collection, by its name. */
  readonly #filling = new Map<string, { users: number; failed: boolean; readonly isNew: Promise<boolean> }>()
  readonly #clearing = new Map<string, Promise<void>>()

  constructor(db: string, embedding: Embedding) {
    this.#db = db
    this.#embedding = embedding
  }

  async list(): Promise<string[]> {
    return (await this.#connected()).list()
  }

  /** @throws `COLLECTION_UNKNOWN` */
  get(name: string): Promise<Collection> {
    const found = this.#open.get(name) ?? this.#connected().then((store) => store.collection(name))
    this.#open.set(name, found)
    found.catch(() => this.#open.delete(name))
    return found
  }

  /**
   * The route, which forgets a collection that was deleted elsewhere, or made again for other vectors: whoever asks next opens the one that is there.
   */
  minding(route: Route): Route {
    return {
      ...route,
      run: async (call) => {
        try {
          return await route.run(call)
        } catch (error) {
          const name = call.params['name']
          if (name !== undefined && isOfCollection(error)) await this.#forgetIfGone(name)
          throw error
        }
      },
    }
  }

  async #forgetIfGone(name: string): Promise<void> {
    const open = this.#open.get(name)
    const collection = await open?.catch(() => undefined)
    const isGone = await collection?.fields().then(() => false, isOfCollection)
    if (!isGone || this.#open.get(name) !== open) return
    this.#open.delete(name)
    await collection!.close().catch(() => {})
  }

  /** True if it is there. */
  async has(name: string): Promise<boolean> {
    return (await this.list()).includes(name)
  }

  /**
   * The collection of a model's vectors, made where it is not there.
   *
   * @throws `COLLECTION_MISMATCH` where it holds vectors of another
   */
  async of(name: string, offered: Offered, reading: Reading): Promise<Collection> {
    const store = await this.#connected()
    const checked = await this.#embedding.table.use(offered, reading, ({ embedder }) => {
      if (embedder.pool === 'none')
        throw new Refusal(
          400,
          'option_invalid',
          'A collection holds vectors, and pool none gives matrices.',
          { field: 'pool' },
        )
      return store.collection(name, { embedder: embedder as Embedder })
    })
    // The one that is open already serves as well.
    await checked.close()
    return this.get(name)
  }

  /** The collection of vectors of so many numbers, made where it is not there. */
  async ofLength(name: string, dimensions: number): Promise<Collection> {
    const store = await this.#connected()
    await (await store.collection(name, { dimensions })).close()
    return this.get(name)
  }

  /** @throws `COLLECTION_UNKNOWN` */
  async drop(name: string): Promise<void> {
    const store = await this.#connected()
    await this.#open
      .get(name)
      ?.then((collection) => collection.close())
      .catch(() => {})
    this.#open.delete(name)
    await store.drop(name)
  }

  /** Drops a collection that holds nothing. @returns true if it did */
  async dropEmpty(name: string): Promise<boolean> {
    if (!(await this.has(name)) || (await (await this.get(name)).count()) > 0) return false
    await this.drop(name)
    return true
  }

  /** Answers a query; texts and pictures are embedded in their turn. */
  async search(
    collection: Collection,
    query: ServedQuery,
    options: SearchOptions,
    asking: Asking,
  ): Promise<Hit[]> {
    if ('id' in query) return collection.search(query, options)
    if ('vector' in query) return collection.search(query.vector, options)
    const isText = 'text' in query
    const [vector] = await this.embed(
      collection,
      [isText ? query.text : query.image],
      isText ? 'text' : 'image',
      asking,
      {
        ...(isText && { prompt: query.prompt }),
        isQuery: true,
      },
    )
    const { hybrid } = options
    const words = typeof hybrid === 'object' ? hybrid.words : undefined
    return collection.search(vector!, {
      ...options,
      ...(hybrid && isText && { hybrid: { ...(hybrid === true ? {} : hybrid), words: words ?? query.text } }),
    })
  }

  /** Vectors by the collection's own embedder. @throws `INPUT_INVALID` for what it does not take */
  embed(
    collection: Collection,
    inputs: readonly (string | Uint8Array)[],
    modality: InputModality,
    asking: Asking,
    { prompt, isQuery = false }: { prompt?: Prompt | undefined; isQuery?: boolean } = {},
  ): Promise<Float32Array[]> {
    const recipe = this.checkEmbeds(collection)
    const refused = refuseModality(
      { name: recipe.source.name, modality: recipe.modality },
      { id: isQuery ? 'The query' : 'A row', modality },
      'Name a collection of the other kind.',
    )
    if (refused) throw refused
    return this.#embedding.embedAs(
      recipe,
      (embedder) => ({
        inputs: inputs.map((input) => inputFor(embedder, { input, modality })),
        ...(modality === 'text' && {
          prompt: prompt ?? (isQuery ? queryPrompt(embedder) : recipe.text?.promptsFor?.document),
        }),
      }),
      asking,
    )
  }

  /**
   * The recipe of a collection whose inputs can be embedded here.
   *
   * @throws `INPUT_INVALID` without a model, or with one of another server, whose address is nobody's business
   */
  checkEmbeds({ recipe, name }: Pick<Collection, 'recipe' | 'name'>): Recipe {
    if (recipe && !recipe.source.remote) return recipe
    throw new PipiloError(
      'INPUT_INVALID',
      recipe
        ? `The collection ${JSON.stringify(name)} is of a model of another server, which this one does not ask.`
        : `The collection ${JSON.stringify(name)} does not say which model its vectors are of.`,
      { hint: 'Bring vectors.' },
    )
  }

  /**
   * Runs what fills a collection: one that was made for it, and stays empty because it failed, goes again.
   *
   * @param fill gets true where the collection was not there when the first that fill it together began
   */
  async filling<T>(name: string, fill: (isNew: boolean) => Promise<T>): Promise<T> {
    await this.#clearing.get(name)
    const filling = this.#filling.get(name) ?? { users: 0, failed: false, isNew: this.#isNew(name) }
    this.#filling.set(name, filling)
    filling.users++
    try {
      // Before the task can make it.
      return await fill(await filling.isNew)
    } catch (error) {
      filling.failed = true
      throw error
    } finally {
      filling.users--
      if (filling.users === 0) {
        this.#filling.delete(name)
        if (filling.failed && (await filling.isNew)) await this.#clear(name)
      }
    }
  }

  /** Deletes the collection if it is empty; who fills it meanwhile waits. */
  async #clear(name: string): Promise<void> {
    const clearing = this.dropEmpty(name).then(
      () => {},
      () => {},
    )
    this.#clearing.set(name, clearing)
    await clearing
    this.#clearing.delete(name)
  }

  /** True if it is not there. What cannot be read is told by the task. */
  #isNew(name: string): Promise<boolean> {
    return this.has(name).then(
      (isThere) => !isThere,
      () => false,
    )
  }

  async close(): Promise<void> {
    const store = await this.#store?.catch(() => undefined)
    await store?.close()
  }

  #connected(): Promise<Store> {
    this.#store ??= connect(this.#db)
    this.#store.catch(() => {
      this.#store = undefined
    })
    return this.#store
  }
}
