// The table of models: opened when they are asked for, kept while they are used, closed when nobody asks or memory is short.
import { closest, PipiloError, Turns } from '../../base/index.ts'
import {
  type Embedder,
  type EmbedderOptions,
  embedder,
  openRecipe,
  type Recipe,
  recipeKey,
  resolveRecipe,
} from '../../embed/index.ts'
import {
  defaultImageModel,
  defaultTextImageModel,
  defaultTextModel,
  type Pooling,
} from '../../models/index.ts'
import type { CompileOptions } from '../../runtime/index.ts'
import type { Matrix } from '../../tensor/index.ts'
import { Refusal } from '../http/refusal.ts'
import type { ServedModel } from '../types.ts'

/** Reading of a model that a request asks for. */
export interface Reading {
  readonly tap?: string | readonly string[] | undefined
  readonly pool?: Pooling | undefined
  readonly normalize?: boolean | undefined
  /** Takes token ids in place of texts. */
  readonly ids?: boolean | undefined
}

/** A model that is offered. */
export interface Offered {
  readonly name: string
  readonly model: string
  readonly options: EmbedderOptions
  /** As it is without a reading of its own. */
  readonly recipe: Recipe
}

/** An embedder that is open. */
export interface Opened {
  readonly key: string
  readonly embedder: Embedder<Float32Array | Matrix>
  /** Identity of its vectors, but for prompts. */
  readonly recipeKey: string
}

interface Entry {
  readonly opening: Promise<Opened>
  users: number
  /** When it was used last. */
  used: number
  opened: Opened | undefined
}

/** Milliseconds for which a model that could not be opened is not tried again. */
const REMEMBERED = 10_000

/** Settings of a {@link ModelTable}. */
export interface TableOptions {
  /** Milliseconds. */
  readonly idle: number
  /** Bytes of resident memory. */
  readonly memory: number
  readonly most: number
  readonly runtime: CompileOptions | undefined
}

/**
 * Finds out what the models are that a server offers; none is opened.
 *
 * @throws `OPTION_INVALID` for a name that is there twice; what `resolveRecipe` throws
 */
export async function offeredModels(
  models: readonly (string | ServedModel)[] | undefined,
): Promise<Offered[]> {
  const asked = models ?? [defaultTextModel, defaultImageModel, defaultTextImageModel]
  const offered = await Promise.all(
    asked.map(async (given) => {
      const { name, model, ...options } = typeof given === 'string' ? { name: given, model: given } : given
      return { name: name ?? model, model, options, recipe: await resolveRecipe(model, options) }
    }),
  )
  const twice = offered.find(({ name }, i) => offered.findIndex((other) => other.name === name) !== i)
  if (twice)
    throw new PipiloError('OPTION_INVALID', `Two models are called ${JSON.stringify(twice.name)}.`, {
      input: 'models',
    })
  return offered
}

/** Embedders by model and reading. */
export class ModelTable {
  readonly offered: readonly Offered[]
  readonly #options: TableOptions
  readonly #entries = new Map<string, Entry>()
  readonly #failures = new Map<string, { readonly error: unknown; readonly until: number }>()
  readonly #timer: NodeJS.Timeout
  /** Models are opened two at a time: whoever asks for many layers holds up no work with it. */
  readonly #openings = new Turns(2)
  #closed = false

  constructor(offered: readonly Offered[], options: TableOptions) {
    this.offered = offered
    this.#options = options
    this.#timer = setInterval(() => void this.#closeIdle(), Math.max(50, Math.min(30_000, options.idle / 4)))
    this.#timer.unref()
  }

  /** Embedders that are open. */
  get count(): number {
    return this.#entries.size
  }

  /** True of a model that is open as it is served. */
  isOpen(name: string): boolean {
    return this.#entries.get(keyOf(name, {}))?.opened !== undefined
  }

  /**
   * The model of a name; without one, the first that takes such inputs.
   *
   * @throws Refusal 404
   */
  find(name: string | undefined, takes: 'text' | 'image' = 'text'): Offered {
    if (name === undefined) {
      const fits = [takes, 'text-image'].map((modality) =>
        this.offered.find(({ recipe }) => recipe.modality === modality),
      )
      const first = fits.find((found) => found !== undefined) ?? this.offered[0]
      if (first) return first
    }
    const found = this.offered.find((offered) => offered.name === name)
    if (found) return found
    const names = this.offered.map((offered) => offered.name)
    const near = closest(name ?? '', names)
    throw new Refusal(
      404,
      'model_not_found',
      `There is no model ${JSON.stringify(name)} here. ${near.length > 0 ? `Did you mean ${near.join(' or ')}?` : `There are: ${names.join(', ')}.`}`,
      { field: 'model' },
    )
  }

  /** Runs a task with a model, which stays open meanwhile. @throws what opening it throws */
  async use<T>(offered: Offered, reading: Reading, task: (opened: Opened) => Promise<T>): Promise<T> {
    return this.#use(keyOf(offered.name, reading), () => openAs(offered, reading, this.#runtime()), task)
  }

  /** The same with the embedder of a recipe: the one of an offered model, where that is it. */
  async useRecipe<T>(recipe: Recipe, task: (opened: Opened) => Promise<T>): Promise<T> {
    const wanted = recipeKey(recipe)
    const same = this.offered.find((offered) => recipeKey(offered.recipe) === wanted)
    if (same) return this.use(same, {}, task)
    return this.#use(`recipe ${wanted}`, () => openRecipe(recipe, this.#runtime()), task)
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    await Promise.all([...this.#entries.keys()].map((key) => this.#close(key)))
  }

  #runtime(): EmbedderOptions {
    const { runtime } = this.#options
    return runtime ? { runtime } : {}
  }

  async #use<T>(
    key: string,
    open: () => Promise<Embedder<Float32Array | Matrix>>,
    task: (opened: Opened) => Promise<T>,
  ): Promise<T> {
    const entry = this.#entries.get(key) ?? (await this.#enter(key, open))
    entry.users++
    try {
      return await task(await entry.opening)
    } finally {
      entry.users--
      entry.used = performance.now()
    }
  }

  async #enter(key: string, open: () => Promise<Embedder<Float32Array | Matrix>>): Promise<Entry> {
    if (this.#closed) throw new Refusal(503, 'closing', 'The server is being stopped.', { retryAfter: 5 })
    const failure = this.#failures.get(key)
    if (failure && failure.until > performance.now()) throw failure.error
    this.#failures.delete(key)
    if (this.#entries.size >= this.#options.most) {
      const oldest = this.#unused()[0]
      if (oldest === undefined) {
        throw new Refusal(
          429,
          'models_busy',
          'As many models, or readings of them, are in use as this server opens at a time.',
          {
            retryAfter: 2,
          },
        )
      }
      void this.#close(oldest)
    }
    const entry: Entry = {
      users: 0,
      used: performance.now(),
      opened: undefined,
      opening: this.#openings
        .run(open)
        .then((found) => ({ key, embedder: found, recipeKey: recipeKey(found.recipe) })),
    }
    this.#entries.set(key, entry)
    entry.opening.then(
      (opened) => {
        entry.opened = opened
        void this.#closeForMemory()
      },
      (error: unknown) => {
        this.#entries.delete(key)
        this.#failures.set(key, { error, until: performance.now() + REMEMBERED })
        // Names of layers that do not exist can be made up without end.
        if (this.#failures.size > 1000) this.#failures.clear()
      },
    )
    return entry
  }

  /** Keys of what nobody uses, the longest unused first. */
  #unused(): string[] {
    return [...this.#entries]
      .filter(([, { users, opened }]) => users === 0 && opened)
      .sort(([, a], [, b]) => a.used - b.used)
      .map(([key]) => key)
  }

  async #closeIdle(): Promise<void> {
    const now = performance.now()
    for (const key of this.#unused()) {
      if (now - this.#entries.get(key)!.used >= this.#options.idle) await this.#close(key)
    }
    await this.#closeForMemory()
  }

  async #closeForMemory(): Promise<void> {
    for (const key of this.#unused()) {
      if (process.memoryUsage.rss() <= this.#options.memory) return
      await this.#close(key)
    }
  }

  async #close(key: string): Promise<void> {
    const entry = this.#entries.get(key)
    if (!entry) return
    this.#entries.delete(key)
    const opened = await entry.opening.catch(() => undefined)
    await opened?.embedder.dispose()
  }
}

const keyOf = (name: string, { tap, pool, normalize, ids = false }: Reading): string =>
  JSON.stringify([name, tap === undefined ? null : [tap].flat(), pool ?? null, normalize ?? null, ids])

function openAs(
  { model, options, recipe }: Offered,
  { tap, pool, normalize, ids }: Reading,
  runtime: EmbedderOptions,
): Promise<Embedder<Float32Array | Matrix>> {
  const asked: EmbedderOptions = {
    ...runtime,
    ...options,
    ...(tap !== undefined && { tap }),
    ...(pool !== undefined && { pool }),
    ...(normalize !== undefined && { normalize }),
  }
  if (!ids) return embedder(model, asked)
  // Ids are fed as they are: the graph takes them as arrays of numbers, and pools as it does for texts.
  return embedder(model, {
    ...asked,
    modality: 'tensor',
    pool: asked.pool ?? recipe.pool,
    normalize: asked.normalize ?? recipe.normalize,
  })
}
