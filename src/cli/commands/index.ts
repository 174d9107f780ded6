// Command `index`: embeds files into a collection.
import { PipiloError } from '../../base/index.ts'
import { readInputs } from '../../embed/index.ts'
import type { InputModality, Modality } from '../../models/index.ts'
import {
  connect,
  fileChanges,
  indexFiles,
  type KeptRows,
  removeFiles,
  type Store,
} from '../../store/index.ts'
import { command, type Terminal, usageError } from '../command.ts'
import {
  as,
  database,
  embedderOptions,
  modelArgs,
  onError,
  oneOf,
  openVectorEmbedder,
  promptArgs,
  type Remembered,
} from '../modelOptions.ts'
import { progress } from '../progress.ts'
import { reportSkipped } from '../skipped.ts'

/** The collection that a modality goes into unless `--collection` names one. */
export const defaultCollection: Record<Modality, string> = {
  text: 'texts',
  image: 'pictures',
  'text-image': 'texts-and-pictures',
  tensor: 'tensors',
}

export const index = command({
  name: 'index',
  description: 'Embed files and keep their vectors in a database; run it again to take up what has changed',
  examples: [
    'pipilo index photos/',
    "pipilo index 'notes/**/*.txt' --collection notes",
    'pipilo index photos/ --prune',
    'pipilo index notes/ --watch',
    'pipilo index photos/ captions.txt --collection photos --model hf:openai/clip-vit-base-patch32',
  ],
  args: {
    inputs: {
      type: 'positional',
      required: false,
      description: 'Files, globs, folders. A text file gives a row a line',
      valueHint: '…',
    },
    db: database,
    collection: {
      type: 'string',
      description: 'Collection to put the vectors in (default: texts, pictures or texts-and-pictures)',
      valueHint: 'name',
    },
    as,
    ...modelArgs,
    ...promptArgs,
    prune: { type: 'boolean', description: 'Remove rows whose file or line has gone' },
    'prune-all': {
      type: 'boolean',
      description: 'The same, also where a whole path is missing or empty, as of a disk that is not mounted',
    },
    watch: {
      type: 'boolean',
      description: 'Go on and follow the files: what is new, has changed or has gone; Ctrl-C ends it',
    },
    'on-error': onError,
    json: { type: 'boolean', description: 'Print what was done as JSON' },
  },
  async run(args, terminal) {
    const specs = args._
    if (!specs.length) throw usageError('Nothing to index.', 'See pipilo index --help.')
    if (specs.includes('-')) throw usageError('pipilo index reads files, not standard input.')
    const skip = oneOf(args['on-error'], 'on-error', ['throw', 'skip'] as const) ?? 'throw'
    const wanted = oneOf<InputModality>(args.as, 'as', ['text', 'image'])
    const { prompt } = embedderOptions(args)
    if (args.watch && args['prune-all'])
      throw usageError('--watch keeps the rows of what cannot be looked for, and --prune-all removes them.')
    const { signal } = terminal
    // Begun before the first reading, so that no change is missed.
    const changes = args.watch ? await fileChanges(specs, { signal }) : undefined
    const store = await connect(args.db)
    try {
      let known = args.model ? undefined : await rememberedBy(store, args.collection)
      const modality = wanted ?? (known || args.model ? 'text' : await firstModality(specs, terminal))
      if (!args.model) known ??= await rememberedBy(store, args.collection ?? defaultCollection[modality])
      const embedder = await openVectorEmbedder(args, terminal, { modality, collection: known })
      const name = args.collection ?? defaultCollection[embedder.modality]
      const collection = await store.collection(name, { embedder })
      const bar = progress(terminal, 'indexing')
      try {
        const once = async (paths: readonly string[], gone: readonly string[] = []) => {
          const removed = await removeFiles(collection, gone, { signal })
          const report = await indexFiles(paths, {
            embedder,
            collection,
            prune: args['prune-all'] === true ? 'all' : args.prune === true || args.watch === true,
            onError: paths === specs ? skip : 'skip',
            signal,
            ...(wanted && { as: wanted }),
            ...(prompt !== undefined && { prompt }),
            onProgress: ({ done, total }) => bar.update(done, total),
          })
          bar.clear()
          const rows = await collection.count()
          const { indexed, unchanged, kept, skipped, skippedCount } = report
          const pruned = report.pruned + removed
          await terminal.out(
            args.json
              ? `${JSON.stringify({ collection: name, indexed, unchanged, pruned, skipped: skippedCount, rows })}\n`
              : `${name}: ${indexed} indexed, ${unchanged} unchanged, ${pruned} removed; ${rows} rows in ${args.db}\n`,
          )
          reportSkipped(skipped, terminal, skippedCount)
          return kept
        }
        const kept = await once(specs)
        if (kept.length > 0 && changes) terminal.err(`pipilo: ${keptError(kept).message}\n`)
        else if (kept.length > 0) throw keptError(kept)
        for await (const { changed, removed } of changes ?? []) await once(changed, removed)
      } catch (error) {
        // Ctrl-C is the usual end of following.
        if (!changes || !signal.aborted || !isAborted(error)) throw error
      } finally {
        bar.clear()
        await collection.close()
        await embedder.dispose()
      }
    } finally {
      await store.close()
    }
  },
})

const isAborted = (error: unknown): boolean => error instanceof PipiloError && error.code === 'ABORTED'

/** Rows that could not be looked for, as an error: what was asked for was not done. */
function keptError(kept: readonly KeptRows[]): PipiloError {
  const places = kept.map(({ path, rows, error }) => `${rows} from ${path} (${error.message})`)
  return new PipiloError(
    kept[0]!.error.code,
    `Rows were kept whose files cannot be looked for: ${places.join('; ')}.`,
    {
      input: kept[0]!.path,
      hint: 'Mount the disk or check the path; if all of it has gone for good, say --prune-all --on-error skip, with --collection.',
    },
  )
}

/** An existing collection's memory of its embedder. */
async function rememberedBy(store: Store, name: string | undefined): Promise<Remembered | undefined> {
  if (name === undefined || !(await store.list()).includes(name)) return undefined
  const collection = await store.collection(name)
  await collection.close()
  return collection
}

async function firstModality(specs: readonly string[], terminal: Terminal): Promise<InputModality> {
  for await (const { modality, error } of readInputs(specs, { signal: terminal.signal })) {
    if (!error) return modality
  }
  throw new PipiloError('INPUT_INVALID', `There is nothing to index in ${specs.join(', ')}.`)
}
