// Asynchronous functions of this room's door; each loads its code with its first call.
import { lazily } from '../base/index.ts'

/**
 * Opens a database of collections.
 *
 * @example
 * ```ts
 * const store = await connect('./.pipilo')
 * const birds = await store.collection('birds', { embedder })
 * await birds.upsert([{ id: 'towhee', vector, metadata: { year: 2021 } }])
 * await birds.search(vector, { k: 5, filter: { year: { gte: 2020 } } })
 * await store.close()
 * ```
 *
 * @remarks
 * The default is LanceDB in the folder `./.pipilo`, which is made when the first collection is; `s3://`, `gs://` and
 * `az://` addresses keep it on object storage. Several processes and machines may use one database: readers see
 * what has been committed, and writers take turns. No clock decides what is deleted.
 *
 * @throws `STORE_FAILED` when the address is a file, `OPTION_INVALID` for an unknown scheme.
 */
export const connect = lazily(async () => (await import('./store.ts')).connect)

/**
 * Embeds files and keeps their vectors in a collection.
 *
 * @example
 * ```ts
 * const { indexed, unchanged } = await indexFiles(['photos', 'notes/*.txt'], { embedder, collection })
 * ```
 *
 * @remarks
 * Paths are files, folders and globs, as `readInputs` takes them; a text file gives a row a passage (with `by: 'line'` a row a line, blank
 * lines left out), a picture a row. Only what the embedder understands is taken: pictures found beside texts (or the other way
 * round), and found files that cannot be read, are listed as skipped and counted by reason; named one by one they are errors. A model of texts and pictures takes
 * both into one collection, where pictures are those with the filter `{ line: null }`.
 *
 * The same content is embedded once, if its copies are not too far from each other (128 MB of vectors are remembered). Run again, it embeds only what has changed: a row whose id is stored with the same SHA-256 stays as it is, unless it was read with another
 * prompt, limit or chunks. So a run
 * that was interrupted, in whatever way, goes on after its last committed batch. Rows of a file's passages that are not there any more are removed at
 * the end of a run. Metadata of a row: `path`, `sha256`,
 * `size`, `modified` (ISO 8601), for passages `by: 'passage'`, `line`, `endLine`, `text`, where there is one `heading` and `page`, for lines `line` and `text`
 * (clipped to 500 characters), and `reading`, a mark of how texts are read where that is not what the collection was made with; and what `metadata` gives. Memory does not grow with
 * the number of files, but for these vectors, 8 bytes an input and the ids of rows to remove.
 *
 * @throws `COLLECTION_MISMATCH` when the collection's vectors came from another embedder; with `onError: 'throw'` the
 * first input's error, after all before its batch has been committed; `ABORTED`
 */
export const indexFiles = lazily(async () => (await import('./indexFiles.ts')).indexFiles)

/**
 * Follows files. What changes from the moment that this resolves is told, however long it takes until it is asked for.
 *
 * @example
 * ```ts
 * const changes = await fileChanges(['notes'], { signal })
 * await indexFiles(['notes'], options)
 * for await (const { changed, removed } of changes) {
 *   await removeFiles(collection, removed)
 *   await indexFiles(changed, { ...options, prune: true })
 * }
 * ```
 *
 * @remarks
 * Specs are paths, folders and globs. The system's announcements (`fs.watch`) only hasten the next look: where they do not come, as on network
 * drives, changes are found by the size, times and number of each file. A folder that is missing, empty or cannot be read (a disk
 * that is not mounted) removes nothing.
 *
 * @throws `OPTION_INVALID` for an address or standard input
 */
export const fileChanges = lazily(async () => (await import('./fileChanges.ts')).fileChanges)

/** Removes the rows of files that have gone, by their paths; resolves to how many there were. */
export const removeFiles = lazily(async () => (await import('./fileChanges.ts')).removeFiles)

/**
 * Rows of a collection as `embeddingMap` takes them, in the order of their ids, and their vectors.
 *
 * @example
 * ```ts
 * const { items, vectors } = await collectionItems(birds, { label: 'kind' })
 * await writeMap('birds.html', await embeddingMap(items, [{ name: 'birds', vectors }]))
 * ```
 *
 * @remarks A row without a text and with a path is taken for a picture, which lies where the path says.
 *
 * @throws `INPUT_INVALID` for a label that no row has; `OPTION_INVALID`
 */
export const collectionItems = lazily(async () => (await import('./collectionItems.ts')).collectionItems)
