// Connects to a database and keeps the list of its collections.
import {
  checkOption,
  checkOptions,
  closest,
  is,
  type OptionTable,
  PipiloError,
  shownValue,
} from '../base/index.ts'
import type { Backend, CollectionInfo } from './backend.ts'
import { CheckedCollection } from './collection.ts'
import { checkSameKind, mismatch } from './sameKind.ts'
import type { Collection, CollectionOptions, ConnectOptions, Store } from './types.ts'

const connectOptionTypes: OptionTable<ConnectOptions> = {
  indexAt: is.either(is.count(1), is.oneOf([Number.POSITIVE_INFINITY])),
  storageOptions: is.recordOf(is.text),
}

const collectionOptionTypes: OptionTable<CollectionOptions> = {
  embedder: is.instance('an embedder', 'recipe', 'dimensions'),
  dimensions: is.any,
  isolate: is.isolation,
}

/** See `connect` in onDemand.ts. */
export async function connect(uri = './.pipilo', options: ConnectOptions = {}): Promise<Store> {
  checkOption('uri', uri, is.name)
  checkOptions<ConnectOptions>('connect', options, connectOptionTypes)
  return new CheckedStore(await backendFor(uri, options))
}

/** A new kind of database is one more file with a {@link Backend}, and one more case here. */
async function backendFor(uri: string, options: ConnectOptions): Promise<Backend> {
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(uri)?.[1]?.toLowerCase() ?? 'file'
  if (lanceSchemes.includes(scheme)) {
    const { LanceBackend } = await import('./lance.ts')
    return new LanceBackend(uri, options)
  }
  throw new PipiloError('OPTION_INVALID', `No database speaks ${scheme}://.`, {
    input: uri,
    hint: `Name a folder, or an address that starts with ${lanceSchemes.join(', ')}.`,
  })
}

const lanceSchemes = ['file', 's3', 'gs', 'az']

class CheckedStore implements Store {
  readonly #backend: Backend
  readonly #collections = new Set<CheckedCollection>()
  #closing: Promise<void> | undefined

  constructor(backend: Backend) {
    this.#backend = backend
  }

  async collection(name: string, options: CollectionOptions = {}): Promise<Collection> {
    const backend = this.#open()
    checkName(name)
    checkOptions<CollectionOptions>('collection', options, collectionOptionTypes)
    const wanted = infoFrom(options)
    let table = await backend.open(name)
    if (!table) {
      if (!wanted) throw await this.#unknown(name)
      table = await backend.create(name, wanted)
    }
    try {
      if (options.embedder) await checkSameKind(name, table.info, options.embedder)
      const { dimensions } = table.info
      if (wanted && wanted.dimensions !== dimensions)
        throw mismatch(name, [`dimensions ${dimensions}, not ${wanted.dimensions}`])
    } catch (error) {
      await table.close()
      throw error
    }
    const collection = new CheckedCollection(name, table, () => this.#collections.delete(collection), options)
    this.#collections.add(collection)
    return collection
  }

  async list(): Promise<string[]> {
    return this.#open().list()
  }

  async drop(name: string): Promise<void> {
    const backend = this.#open()
    checkName(name)
    for (const collection of [...this.#collections]) {
      // A failure in the background no longer matters.
      if (collection.name === name) await collection.close().catch(() => {})
    }
    if (!(await backend.drop(name))) throw await this.#unknown(name)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const closed = await Promise.allSettled([...this.#collections].map((collection) => collection.close()))
    await this.#backend.close()
    const failed = closed.find((result) => result.status === 'rejected')
    if (failed) throw failed.reason
  }

  #open(): Backend {
    if (this.#closing) {
      throw new PipiloError('DISPOSED', 'The database has been closed.', {
        hint: 'Open it again with connect().',
      })
    }
    return this.#backend
  }

  async #unknown(name: string): Promise<PipiloError> {
    const names = await this.#backend.list()
    const near = closest(name, names)
    const others = near.length > 0 ? `Did you mean ${near.join(', ')}?` : `There are: ${names.join(', ')}.`
    return new PipiloError('COLLECTION_UNKNOWN', `There is no collection "${name}".`, {
      input: name,
      hint: names.length > 0 ? others : 'The database is empty; give an embedder to make the collection.',
    })
  }
}

function checkName(name: unknown): asserts name is string {
  if (typeof name !== 'string')
    throw new PipiloError(
      'OPTION_INVALID',
      `A collection's name is ${shownValue(name)}; it has to be a text.`,
      {
        input: 'name',
      },
    )
  if (/^[a-z0-9][a-z0-9_.-]{0,127}$/i.test(name)) return
  throw new PipiloError('OPTION_INVALID', `${JSON.stringify(name)} cannot be a collection's name.`, {
    input: name,
    hint: 'Names are letters, digits, "_", "-" and ".", and start with a letter or digit.',
  })
}

function infoFrom({ embedder, dimensions }: CollectionOptions): CollectionInfo | undefined {
  // Some graphs do not say how long their vectors are before they have run.
  const size = embedder?.dimensions || (dimensions ?? embedder?.dimensions)
  if (size === undefined) return
  if (!Number.isInteger(size) || size < 1) {
    const unknown = embedder?.dimensions === 0 && dimensions === undefined
    throw new PipiloError('OPTION_INVALID', `A collection cannot have vectors of ${size} dimensions.`, {
      ...(unknown && {
        hint: 'Only running the model tells how long they are: embed one input first, or say dimensions.',
      }),
    })
  }
  if (dimensions !== undefined && dimensions !== size) {
    throw new PipiloError(
      'OPTION_INVALID',
      `The embedder gives ${size} dimensions, but ${dimensions} were asked for.`,
      { hint: 'Leave out dimensions: the embedder says them.' },
    )
  }
  return { dimensions: size, recipe: embedder?.recipe }
}
