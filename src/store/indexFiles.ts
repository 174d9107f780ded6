// Indexes files into a collection: reads, embeds what is new or changed, writes, and removes what is gone.
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { abortError, checkOption, checkOptions, is, type OptionTable, PipiloError } from '../base/index.ts'
import {
  type ChunkOptions,
  type Embedder,
  inputFor,
  isOfFile,
  onErrorType,
  type Prompt,
  passageChunk,
  pathsOf,
  promptType,
  type ReadBy,
  type ReadInput,
  readInputs,
  readingKey,
  refuseModality,
  type SkippedKind,
  SkippedKinds,
  withPrompt,
} from '../embed/index.ts'
import type { InputModality } from '../models/index.ts'
import { checkVector } from './collection.ts'
import { isSame, isUnchanged, metadataBy, metadataOf, sha256Of } from './fileMetadata.ts'
import { filesMemory } from './filesMemory.ts'
import { type KeptRows, prune, type ReadSpec, replace, SeenIds } from './prune.ts'
import { type Made, RecentVectors } from './recentVectors.ts'
import { checkSameKind } from './sameKind.ts'
import type { Collection, Metadata, Row } from './types.ts'

export interface IndexProgress {
  /** Inputs dealt with: stored, unchanged or skipped. What is stored is committed. */
  readonly done: number
  /** Inputs in all; undefined while they are being counted, or when the paths are a stream. */
  readonly total: number | undefined
  readonly indexed: number
  readonly unchanged: number
  readonly skipped: number
}

export interface IndexFilesOptions {
  readonly embedder: Pick<Embedder, 'name' | 'modality' | 'recipe' | 'dimensions' | 'embed'> &
    Partial<Pick<Embedder, 'model' | 'card'>>
  readonly collection: Collection
  /**
   * Folder that paths are relative to. Default: the working directory. Ids are relative to that of the collection's first run, which it remembers
   * (`filesMemory`): so a file has one id, wherever a run is started.
   */
  readonly cwd?: string
  /** Takes every file for text, for a picture, or for an array of numbers (`.npy`). Default: decided by its content. */
  readonly as?: InputModality
  /** Leaves out, uncounted, all but pictures (`image`), or pictures (`text` and others): for a folder whose texts and pictures go into two collections. */
  readonly only?: InputModality
  /**
   * Rows of a text file: its passages, or its lines. Default: as the collection's texts were read, `passage` for a new one. Rows of a
   * file that was read in the other way are replaced.
   */
  readonly by?: ReadBy
  /** Length of passages and what neighbours share where a paragraph is cut, in tokens. Default: the embedder's `chunk`, else at most 128, of code what the model reads, and 32. */
  readonly chunk?: Pick<ChunkOptions, 'tokens' | 'overlap'>
  /**
   * Columns of CSV, JSON lines and Parquet files, and the encoding of files that are not UTF-8: see `readInputs`. Default of these, and of `chunk`:
   * as the last run that said them, which the collection remembers.
   */
  readonly columns?: readonly string[]
  readonly encoding?: string
  /**
   * Further metadata of a file's rows. Where it has changed, it is written beside the vectors that are there.
   *
   * @example
   * ```ts
   * metadata: ({ path }) => ({ project: path.split('/')[0]! })
   * ```
   */
  readonly metadata?: (file: IndexedFile) => Metadata | Promise<Metadata>
  /**
   * Also removes rows that came from these paths and whose file, or line, is there no more. For a glob: rows of files
   * in the folder that it starts in.
   *
   * What cannot be read has not gone: rows below a path that is missing or holds no file at all (a disk that is not
   * mounted), or below a folder that cannot be read, stay, and are reported as `kept`. `'all'` removes those too whose path
   * is missing or holds no file; never those that cannot be read.
   */
  readonly prune?: boolean | 'all'
  /**
   * Treatment of an input that was named and cannot be read or embedded. Default `throw`. What was found in a folder or by a glob and cannot be
   * read is left out in any case, and counted.
   */
  readonly onError?: 'throw' | 'skip'
  /**
   * Prompt of the texts. Default: the model's for documents, where it has one and the embedder was opened without a prompt
   * (`recipe.text.promptsFor`), else the embedder's. Rows that were embedded with another prompt (or limit, or
   * chunks) are embedded again.
   */
  readonly prompt?: Prompt
  /** Inputs that are embedded and committed together. Default: 512 lines, 64 pictures or arrays, 128 of texts and pictures. */
  readonly batch?: number
  /** Ends the work after what has been committed; the call then throws `ABORTED`. */
  readonly signal?: AbortSignal
  readonly onProgress?: (event: IndexProgress) => void
}

const types: OptionTable<IndexFilesOptions> = {
  embedder: is.instance('an embedder', 'embed', 'recipe', 'modality'),
  collection: is.instance('a collection', 'upsert', 'rows'),
  cwd: is.text,
  as: is.oneOf(['text', 'image', 'tensor']),
  only: is.oneOf(['text', 'image', 'tensor']),
  by: is.oneOf(['passage', 'line']),
  chunk: passageChunk,
  columns: is.names,
  encoding: is.name,
  metadata: is.callback,
  prune: is.either(is.flag, is.oneOf(['all'])),
  onError: onErrorType,
  prompt: promptType,
  batch: is.count(1),
  signal: is.abortSignal,
  onProgress: is.callback,
}

/** A file whose rows get metadata. */
export interface IndexedFile {
  /** As in ids and metadata. */
  readonly path: string
  readonly size?: number
  readonly modified?: Date
}

export interface IndexReport {
  /** Inputs that were embedded and stored. */
  readonly indexed: number
  /** Inputs that were there already, with the same content. */
  readonly unchanged: number
  /** Rows that were removed because their file, or their place in it, has gone. */
  readonly pruned: number
  /** Rows that were removed because their file was read anew and has other passages now. */
  readonly replaced: number
  /**
   * Rows of what was read before and cannot be any more (a file that is damaged now, a row of a table): they are as they were. `prune` removes
   * them, but for files that the system does not let read.
   */
  readonly stale: number
  /** Rows that `prune` left where they are, because their files could not be looked for: by path, with the reason. */
  readonly kept: readonly KeptRows[]
  /** Inputs that were left out and why; the first 10,000. */
  readonly skipped: { readonly id: string; readonly reason: string; readonly error: PipiloError }[]
  /** All that was left out. */
  readonly skippedCount: number
  /** The same by reason, the most frequent first. */
  readonly skippedKinds: readonly SkippedKind[]
  /** Texts that are longer than the model reads, and were cut: lines, as passages never are. */
  readonly truncated: number
}

const MOST_LISTED = 10_000
const batchSizes = { text: 512, image: 64, tensor: 64, 'text-image': 128 } as const

/** See `indexFiles` in onDemand.ts. */
export async function indexFiles(
  paths: string | Iterable<string> | AsyncIterable<string>,
  options: IndexFilesOptions,
): Promise<IndexReport> {
  checkOptions<IndexFilesOptions>('indexFiles', options, types)
  // Neither has a default.
  checkOption('embedder', options?.embedder, types.embedder)
  checkOption('collection', options?.collection, types.collection)
  const specs = pathsOf(paths)
  const { collection, embedder, signal, onProgress } = options
  await checkSameKind(collection.name, collection, embedder)
  const prompt = documentPrompt(options)
  // Checks the prompt even if no input has changed and nothing will be embedded.
  if (options.prompt !== undefined) await embedder.embed([], { prompt: options.prompt })
  const run = new Run({ ...options, ...(prompt !== undefined && { prompt }) })
  const rowsBefore = await collection.count()
  const by = options.by ?? (await wayOf(collection, rowsBefore))
  const cwd = resolve(options.cwd ?? '.')
  const memory = await filesMemory(collection, { cwd, ...pick(options, 'chunk', 'columns', 'encoding') })
  const { root } = memory
  const reading = {
    ...pick(options, 'as'),
    ...memory,
    cwd,
    ...(prompt !== undefined && { prompt }),
    by,
    embedder,
    ...(signal && { signal }),
  }
  const read: ReadSpec[] = []
  const seen = new SeenIds()

  let total: number | undefined
  const counting = new AbortController()
  const report = () => onProgress?.({ ...run.counts(), total: total && Math.max(total, run.counts().done) })
  let isOver = false
  if (onProgress && Array.isArray(specs) && !specs.includes('-') && !(await haveSpecial(specs, cwd))) {
    count(of(options.only, readInputs(specs, { ...reading, signal: counting.signal })))
      .then((inputs) => {
        if (isOver) return
        total = inputs
        // Told before the first batch is stored, which takes the longest.
        if (run.counts().done === 0) report()
      })
      .catch(() => {}) // Without a total there is still progress; what is wrong with the inputs shows when they are read.
  }

  async function* remembered() {
    for await (const spec of specs) {
      read.push({ spec, holdsFiles: false })
      yield spec
    }
  }
  const inputs = batches(of(options.only, watch(readInputs(remembered(), reading), read, seen)), run.batch)
  // While a batch is embedded, the next is read and looked up, and the one before is committed.
  let commit = Promise.resolve()
  try {
    for await (const batch of ahead(inputs, (batch) => run.prepare(batch))) {
      const { rows, indexed } = await run.rows(batch)
      await commit
      commit = collection.upsert(rows, signal ? { signal } : {}).then(() => {
        run.stored(batch, indexed)
        report()
      })
      commit.catch(() => {}) // Thrown where it is awaited.
    }
    await commit
    isOver = true
    total = run.counts().done
    report()
  } catch (error) {
    if (!signal?.aborted || error instanceof PipiloError) throw error
    throw abortError(signal, 'Indexing was stopped; what was committed stays.')
  } finally {
    isOver = true
    counting.abort()
    await commit.catch(() => {})
  }
  const all = options.prune === 'all'
  // Rows of files that have other passages now would be found beside those.
  const { left } = run
  const changed =
    rowsBefore > 0
      ? await replace(collection, { seen, by, ...left, prune: Boolean(options.prune), signal })
      : { replaced: 0, pruned: 0, stale: 0 }
  const removal = options.prune
    ? await prune(collection, read, { cwd, root, seen, all, signal })
    : { pruned: 0, kept: [] }
  return run.report({ ...removal, ...changed, pruned: changed.pruned + removal.pruned })
}

/** Rows that are looked at for the way in which a collection's texts were read. */
const LOOKED_AT = 4096

/** The way in which a collection's texts were read; rows of lines bear no mark. */
async function wayOf(collection: Collection, count: number): Promise<ReadBy> {
  if (count === 0) return 'passage'
  let looked = 0
  for await (const { metadata } of collection.rows()) {
    if (typeof metadata['text'] === 'string') return metadata['by'] === 'passage' ? 'passage' : 'line'
    if (++looked === LOOKED_AT) break
  }
  return 'passage'
}

/** An input that has to be embedded. */
interface Fresh extends ReadInput {
  readonly metadata: Metadata
}

/** The key of an input's vector within a run: its content, and whether that is a text or a file. */
const contentOf = ({ line, metadata }: Fresh): string => `${line === undefined} ${metadata['sha256']}`

interface Batch {
  readonly fresh: readonly Fresh[]
  /** Unchanged, but with other metadata of the caller's. */
  readonly restated: readonly Fresh[]
  readonly unchanged: number
}

/** Counters and decisions of one call of {@link indexFiles}. */
class Run {
  readonly batch: number
  readonly #options: IndexFilesOptions
  /** How texts are read, where that is otherwise than the collection says. */
  readonly #reading: Metadata
  readonly #skipped: IndexReport['skipped'] = []
  readonly #kinds = new SkippedKinds()
  /** Ids and paths of what was left out: because of what is in it, and because it could not be looked into. */
  readonly left = { unfit: new SeenIds(), unread: new SeenIds() }
  readonly #metadata: (input: ReadInput) => Promise<Metadata>
  readonly #recent: RecentVectors
  #skippedCount = 0
  #truncated = 0
  #indexed = 0
  #unchanged = 0

  constructor(options: IndexFilesOptions) {
    this.#options = options
    this.#reading = readingOf(options)
    this.#metadata = metadataBy(options.metadata)
    this.#recent = new RecentVectors(options.collection.dimensions)
    this.batch = options.batch ?? batchSizes[options.embedder.modality]
  }

  counts() {
    const [indexed, unchanged, skipped] = [this.#indexed, this.#unchanged, this.#skippedCount]
    return { done: indexed + unchanged + skipped, indexed, unchanged, skipped }
  }

  report(removal: { pruned: number; replaced: number; stale: number; kept: KeptRows[] }): IndexReport {
    const { indexed, unchanged, skipped } = this.counts()
    return {
      indexed,
      unchanged,
      ...removal,
      skipped: this.#skipped,
      skippedCount: skipped,
      skippedKinds: this.#kinds.list(),
      truncated: this.#truncated,
    }
  }

  /** Finds out which inputs are new or have changed. */
  async prepare(inputs: readonly ReadInput[]): Promise<Batch> {
    const { embedder } = this.#options
    const wanted: Fresh[] = []
    for (const input of inputs) {
      const error =
        input.error ??
        refuseModality(embedder, input, 'Index it with another model, into another collection.')
      if (error) {
        this.#fail(input, error, error.code === 'INPUT_INVALID')
        continue
      }
      try {
        const read = input.line === undefined ? {} : this.#reading
        const own = { ...metadataOf(input, await sha256Of(input)), ...read }
        wanted.push({ ...input, metadata: { ...(await this.#metadata(input)), ...own } })
      } catch (error) {
        this.#fail(input, error)
      }
    }
    const stored = await this.#options.collection.metadata(wanted.map(({ id }) => id))
    const fresh: Fresh[] = []
    const restated: Fresh[] = []
    for (const [index, input] of wanted.entries()) {
      const before = stored[index]
      if (!isUnchanged(before, input.metadata)) fresh.push(input)
      else if (this.#options.metadata && !isSame(before!, input.metadata)) restated.push(input)
    }
    return { fresh, restated, unchanged: wanted.length - fresh.length }
  }

  /** Rows to write: of what is new, and of what has other metadata. */
  async rows(batch: Batch): Promise<{ rows: Row[]; indexed: number }> {
    const rows = await this.#embed(batch)
    const stored = await this.#options.collection.get(batch.restated.map(({ id }) => id))
    const restated = batch.restated.flatMap(({ id, metadata }, index) => {
      const row = stored[index]
      return row ? [{ id, vector: row.vector, metadata }] : []
    })
    return { rows: [...rows, ...restated], indexed: rows.length }
  }

  async #embed({ fresh }: Batch): Promise<Row[]> {
    const made = await this.#make(fresh)
    const rows: Row[] = []
    for (const input of fresh) {
      const { id, metadata } = input
      const found = made.get(contentOf(input))!
      try {
        if (found instanceof Error) throw found
        const vector = checkVector(found.vector, this.#options.collection.dimensions, id, id)
        rows.push({ id, vector, metadata })
        if (found.isTruncated) this.#truncated++
      } catch (error) {
        // Words of which a model knows none have no direction.
        this.#fail(input, error, !(found instanceof Error) && found.vector.every((value) => value === 0))
      }
    }
    return rows
  }

  /** Vectors by content, each made once, or the error of one that cannot be. */
  async #make(fresh: readonly Fresh[]): Promise<Map<string, Made | PipiloError>> {
    const made = new Map<string, Made | PipiloError>()
    const inputs = new Map<string, Fresh>()
    for (const input of fresh) {
      const content = contentOf(input)
      const known = this.#recent.get(content)
      if (known) made.set(content, known)
      else if (!inputs.has(content)) inputs.set(content, input)
    }
    if (inputs.size === 0) return made
    const { embedder, prompt, signal } = this.#options
    const { vectors, errors, chunks, truncated } = await embedder.embed(
      [...inputs.values()].map((found) => inputFor(embedder, found)),
      // An error is thrown by the caller, unless it is of a file that was found.
      { onError: 'skip', ...(prompt !== undefined && { prompt }), ...(signal && { signal }) },
    )
    const several = chunks && (chunks.length !== inputs.size || chunks.some(({ input }, i) => input !== i))
    if (several || !(vectors[0] instanceof Float32Array)) {
      throw new PipiloError('OPTION_INVALID', 'An index needs one vector for each input.', {
        hint: "Choose another pooling than 'none', and chunk: { pool: 'mean' }.",
      })
    }
    const failed = new Map(errors.map(({ index, error }) => [index, error]))
    const cut = new Set(truncated)
    for (const [index, content] of [...inputs.keys()].entries()) {
      const error = failed.get(index)
      const one = error ?? { vector: vectors[index] as Float32Array, isTruncated: cut.has(index) }
      made.set(content, one)
      // A copy: vectors are parts of their whole batch, which would stay with the last of them.
      if (!(one instanceof Error)) this.#recent.keep(content, { ...one, vector: one.vector.slice() })
    }
    return made
  }

  stored(batch: Batch, rows: number): void {
    this.#unchanged += batch.unchanged
    this.#indexed += rows
  }

  /** @param ofInput the input is at fault, whatever the error */
  #fail(input: ReadInput, thrown: unknown, ofInput = false): void {
    if (!(thrown instanceof PipiloError)) throw thrown
    const ordinary = input.found && (ofInput || isOfFile(thrown))
    const left = ordinary || this.#options.onError === 'skip'
    if (!left) throw thrown
    const { id, path = id, line } = input
    // A file that is missing is looked for when rows are pruned.
    if (thrown.code !== 'FILE_NOT_FOUND') {
      const system = thrown.code === 'FILE_UNREADABLE' || thrown.code === 'NETWORK'
      this.left[system ? 'unread' : 'unfit'].add(line === undefined ? path : id)
    }
    this.#skippedCount++
    this.#kinds.add(input, thrown)
    if (this.#skipped.length < MOST_LISTED) this.#skipped.push({ id, reason: thrown.message, error: thrown })
  }
}

/**
 * The prompt of what is stored: the one asked for, else the model's own for documents. A collection that was made without that stays as it
 * was made.
 */
function documentPrompt({ collection, embedder, prompt }: IndexFilesOptions): Prompt | undefined {
  const own = collection.recipe?.text?.promptsFor ? embedder.recipe.text?.promptsFor : undefined
  return prompt ?? own?.document
}

/**
 * A mark of how texts are read, where it is not what the collection was made with; of a collection that does not say, where there is a prompt
 * or chunks.
 */
function readingOf({ embedder, collection, prompt }: IndexFilesOptions): Metadata {
  if (!embedder.recipe.text) return {}
  const recipe = prompt === undefined ? embedder.recipe : withPrompt(embedder.recipe, prompt)
  const { chunk: _, ...text } = recipe.text!
  const known = collection.recipe
  const own = known?.text?.promptsFor?.document
  const asMade = known && own !== undefined ? withPrompt(known, own) : known
  const usual = asMade ?? { ...recipe, text: { ...text, prompt: '' } }
  const reading = readingKey(recipe)
  return reading === readingKey(usual) ? {} : { reading }
}

/** True where one of the paths is a pipe or a device, which can be read once. */
async function haveSpecial(specs: readonly string[], cwd: string): Promise<boolean> {
  const each = await Promise.all(specs.map((spec) => stat(resolve(cwd, spec)).catch(() => undefined)))
  return each.some((about) => about && !about.isFile() && !about.isDirectory())
}

async function count(found: AsyncIterable<ReadInput>): Promise<number> {
  let inputs = 0
  for await (const input of found) if (!isBlank(input)) inputs++
  return inputs
}

/** The pictures, or all but those. */
async function* of(
  only: InputModality | undefined,
  inputs: AsyncIterable<ReadInput>,
): AsyncGenerator<ReadInput> {
  for await (const input of inputs) {
    if (only === undefined || (input.modality === 'image') === (only === 'image')) yield input
  }
}

const isBlank = ({ line, error, input }: ReadInput): boolean =>
  line !== undefined && !error && input.trim() === ''

/** Leaves out blank lines, and remembers what was there, and of which of the paths that were asked for. */
async function* watch(
  inputs: AsyncIterable<ReadInput>,
  read: readonly ReadSpec[],
  seen: SeenIds,
): AsyncGenerator<ReadInput> {
  let path: string | undefined
  for await (const input of inputs) {
    const of = read.at(-1)
    // An input with a time of change is a file that exists, even if its content cannot be read.
    if (of && input.modified) of.holdsFiles = true
    else if (of && input.error) of.error ??= input.error
    if (input.path !== path) {
      if (path !== undefined) seen.add(path)
      path = input.path
    }
    // An error of a whole file, rather than of one line, says nothing about what is in it; an empty one has no lines.
    if (input.error && input.line === undefined && input.error.code !== 'FILE_EMPTY') path = undefined
    if (isBlank(input)) continue
    if (!input.error || input.line !== undefined) seen.add(input.id)
    yield input
  }
  if (path !== undefined) seen.add(path)
}

async function* batches<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let batch: T[] = []
  for await (const item of items) {
    batch.push(item)
    if (batch.length < size) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

/** Maps with one result made in advance while the one before is being used. */
async function* ahead<T, R>(items: AsyncGenerator<T>, map: (item: T) => Promise<R>): AsyncGenerator<R> {
  const next = async () => {
    const item = await items.next()
    return item.done ? undefined : { result: await map(item.value) }
  }
  let coming = next()
  try {
    for (let made = await coming; made; made = await coming) {
      coming = next()
      coming.catch(() => {}) // Thrown where it is awaited, after the batch before it.
      yield made.result
    }
  } finally {
    await coming.catch(() => {})
    await items.return(undefined)
  }
}

function pick<T extends object, K extends keyof T>(from: T, ...keys: K[]): Pick<T, K> {
  return Object.fromEntries(
    keys.flatMap((key) => (from[key] === undefined ? [] : [[key, from[key]]])),
  ) as Pick<T, K>
}
