// Backend on LanceDB: its connection, its list of collections, opening and creating them.
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Connection, Table } from '@lancedb/lancedb'
import { PipiloError } from '../base/index.ts'
import type { Backend, BackendTable, CollectionInfo } from './backend.ts'
import { infoOf, schemaOf } from './lanceArrow.ts'
import { damaged, lanceError } from './lanceErrors.ts'
import { FolderSharing, type Sharing, withoutLocks } from './lanceSharing.ts'
import { LanceTable } from './lanceTable.ts'
import type { ConnectOptions } from './types.ts'

/** Bytes of indices and of metadata kept in memory; LanceDB's own defaults are gigabytes. */
const INDEX_CACHE = 256 << 20
const METADATA_CACHE = 32 << 20

/**
 * LanceDB as a backend: a folder, or object storage by its address (`s3://`, `gs://`, `az://`). A folder is made when
 * the first collection is.
 */
export class LanceBackend implements Backend {
  readonly #uri: string
  /** Undefined on object storage. */
  readonly #folder: string | undefined
  readonly #options: ConnectOptions
  #connection: Promise<Connection> | undefined

  constructor(uri: string, options: ConnectOptions = {}) {
    this.#options = options
    if (uri.startsWith('file:')) this.#folder = fileURLToPath(uri)
    else if (!/^[a-z][a-z0-9+.-]+:\/\//i.test(uri)) this.#folder = resolve(uri)
    this.#uri = this.#folder ?? uri
    if (this.#folder !== undefined && existsSync(this.#folder) && !statSync(this.#folder).isDirectory()) {
      throw new PipiloError('STORE_FAILED', `${this.#folder} is a file, not the folder of a database.`, {
        input: uri,
        hint: 'Name a folder, such as ./.pipilo; it is made when it is not there.',
      })
    }
  }

  #connect(): Promise<Connection> {
    // LanceDB's warnings on standard error are either errors, which it also throws, or of no use to the user.
    process.env.LANCEDB_LOG ??= 'error'
    this.#connection ??= import('@lancedb/lancedb')
      .then(({ connect, Session }) =>
        connect(this.#uri, {
          session: new Session(BigInt(INDEX_CACHE), BigInt(METADATA_CACHE)),
          // Every read looks for the newest version, so that one process sees what another has committed.
          readConsistencyInterval: 0,
          storageOptions: { ...this.#options.storageOptions },
        }),
      )
      .catch((error) => {
        this.#connection = undefined
        throw lanceError(error, `The database at ${this.#uri} could not be opened`)
      })
    return this.#connection
  }

  /** False while nothing has been written yet: reading must not make folders. */
  #isThere(): boolean {
    return this.#folder === undefined || existsSync(this.#folder)
  }

  /** How a collection is shared with others. */
  #sharing(name: string): Sharing {
    if (this.#folder === undefined) return withoutLocks
    return new FolderSharing(join(this.#folder, '.locks'), name)
  }

  async list(): Promise<string[]> {
    if (!this.#isThere()) return []
    const names = await this.#attempt('listed', (connection) => connection.tableNames())
    return names.filter((name) => !this.#isUnfinished(name)).sort()
  }

  async open(name: string): Promise<BackendTable | undefined> {
    if (!(await this.list()).includes(name)) return
    const connection = await this.#connect()
    let table: Table
    let info: CollectionInfo | undefined
    try {
      table = await connection.openTable(name)
      info = infoOf(await table.schema())
    } catch (error) {
      throw lanceError(error, `The collection "${name}" in ${this.#uri} cannot be read`, damaged)
    }
    if (!info) {
      throw new PipiloError(
        'STORE_FAILED',
        `"${name}" in ${this.#uri} is a LanceDB table, but not a Pipilo collection.`,
        {
          input: name,
          hint: 'Choose another collection or another folder.',
        },
      )
    }
    return this.#opened(name, table, info)
  }

  #opened(name: string, table: Table, info: CollectionInfo, sharing = this.#sharing(name)): BackendTable {
    const isThere = async () => (await this.list()).includes(name)
    return new LanceTable(table, info, sharing, { ...this.#options, folder: this.#folder, isThere })
  }

  async create(name: string, info: CollectionInfo): Promise<BackendTable> {
    const connection = await this.#connect()
    const sharing = this.#sharing(name)
    return sharing.exclusive(async () => {
      try {
        const table = await connection.createEmptyTable(name, schemaOf(info))
        return this.#opened(name, table, info, sharing)
      } catch (error) {
        // Another process may have been faster by a moment.
        const table = await this.open(name).catch(() => undefined)
        if (table) return table
        throw lanceError(error, `The collection "${name}" could not be made in ${this.#uri}`)
      }
    })
  }

  async drop(name: string): Promise<boolean> {
    if (!(await this.list()).includes(name)) return false
    const drop = () => this.#attempt('changed', (connection) => connection.dropTable(name))
    await this.#sharing(name).exclusive(drop)
    return true
  }

  async close(): Promise<void> {
    const connection = await this.#connection?.catch(() => undefined)
    connection?.close()
  }

  async #attempt<T>(verb: string, work: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = await this.#connect()
    try {
      return await work(connection)
    } catch (error) {
      throw lanceError(error, `The database at ${this.#uri} could not be ${verb}`)
    }
  }

  /** A process that was killed while it made a collection leaves a folder without a single version, and no data. */
  #isUnfinished(name: string): boolean {
    if (this.#folder === undefined) return false
    const folder = join(this.#folder, `${name}.lance`)
    const filesIn = (child: string) => {
      const path = join(folder, child)
      return existsSync(path) ? readdirSync(path) : []
    }
    return !filesIn('_versions').some((file) => file.endsWith('.manifest')) && filesIn('data').length === 0
  }
}
