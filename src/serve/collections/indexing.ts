// Indexing of uploaded files as a job, by the collection's own model and in turns with all other requests.
import { join } from 'node:path'
import type { Embedder } from '../../embed/index.ts'
import { type Collection, indexFiles } from '../../store/index.ts'
import { wordsForHttp } from '../http/hints.ts'
import type { JobProgress } from '../jobs/jobs.ts'
import type { Embedding } from '../models/embedding.ts'
import type { Opened } from '../models/modelTable.ts'

/** Reasons of skipped files that a report lists. */
const LISTED = 100

/** Inputs that are stored together: so few that progress is seen, and so many that writing them costs little. */
const BATCH = 64

/** Embeds files and keeps their rows. @param paths absolute, below `folder` */
export async function indexUploads(
  collection: Collection,
  paths: readonly string[],
  folder: string,
  embedding: Embedding,
  {
    id,
    signal,
    report,
    by,
  }: {
    id: string
    signal: AbortSignal
    report: (progress: JobProgress) => void
    by?: 'passage' | 'line' | undefined
  },
): Promise<unknown> {
  const { recipe } = collection
  // A file of pictures is one input. How many passages texts have is known when they have been read.
  const files = recipe!.modality === 'image' ? paths.length : undefined
  report({ done: 0, total: files, indexed: 0, unchanged: 0, skipped: 0 })
  return embedding.table.useRecipe(recipe!, async (opened) => {
    const { skipped, skippedCount, skippedKinds, ...found } = await indexFiles(paths, {
      cwd: folder,
      collection,
      embedder: inTurns(opened, embedding, id, signal),
      onError: 'skip',
      batch: BATCH,
      signal,
      ...(by && { by }),
      onProgress: ({ done, total, indexed, unchanged, skipped: left }) =>
        report({ done, total: total ?? files, indexed, unchanged, skipped: left }),
    })
    return withoutFolder(folder, {
      ...found,
      skippedCount,
      skipped: skipped
        .slice(0, LISTED)
        .map(({ id: file, error }) => ({ id: file, reason: wordsForHttp(error) })),
      skippedKinds: skippedKinds.map((kind) => {
        const hint = skipped.find(({ reason }) => reason === kind.message)?.error.hint
        const [reason, message] = [kind.reason, kind.message].map((words) =>
          wordsForHttp({ message: words, hint }),
        )
        return { ...kind, reason, message }
      }),
    })
  })
}

/** The embedder, whose calls wait for their turns as those of a client do. */
function inTurns(opened: Opened, embedding: Embedding, id: string, stop: AbortSignal) {
  const { embedder } = opened
  const { name, modality, recipe, dimensions, card } = embedder
  const embed: Embedder['embed'] = (inputs, options = {}) =>
    embedding.run(opened, inputs, {
      ...options,
      client: `job ${id}`,
      signal: options.signal ?? stop,
      patient: true,
    }) as ReturnType<Embedder['embed']>
  return { name, modality, recipe, dimensions, card, model: embedder.model, embed }
}

/** A report that names files as clients know them. */
const withoutFolder = (folder: string, report: unknown): unknown =>
  JSON.parse(JSON.stringify(report).replaceAll(JSON.stringify(join(folder, '/')).slice(1, -1), ''))
