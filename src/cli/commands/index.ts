// Command `index`: embeds files into a collection.
import { PipiloError } from '../../base/index.ts'
import type { InputModality, Modality } from '../../models/index.ts'
import {
  connect,
  fileChanges,
  type IndexReport,
  indexFiles,
  type KeptRows,
  removeFiles,
  type Store,
} from '../../store/index.ts'
import { command, type Terminal, usageError } from '../command.ts'
import { kindsIn } from '../kindOf.ts'
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
  readArgs,
  readOptions,
} from '../modelOptions.ts'
import { progress } from '../progress.ts'
import { LeftOut, reportKinds } from '../skipped.ts'

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
    'pipilo index docs/ --prune',
    "pipilo index 'notes/**/*.txt' --by line --collection notes",
    'pipilo index papers/*.pdf talks.parquet --columns title,abstract',
    'pipilo index notes/ --watch',
    'pipilo index photos/ captions.txt --collection photos --model hf:openai/clip-vit-base-patch32',
  ],
  args: {
    inputs: {
      type: 'positional',
      required: false,
      description: 'Files, globs, folders. A text file gives a row a passage (see --by), a picture one',
      valueHint: '…',
    },
    db: database,
    collection: {
      type: 'string',
      description: 'Collection to put the vectors in (default: texts, pictures or texts-and-pictures)',
      valueHint: 'name',
    },
    as,
    ...readArgs,
    ...modelArgs,
    ...promptArgs,
    prune: { type: 'boolean', description: 'Remove rows whose file or place in it has gone' },
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
    const onError = oneOf(args['on-error'], 'on-error', ['throw', 'skip'] as const) ?? 'throw'
    const wanted = oneOf<InputModality>(args.as, 'as', ['text', 'image'])
    const { prompt } = embedderOptions(args)
    const reading = readOptions(args)
    if (args.watch && args['prune-all'])
      throw usageError('--watch keeps the rows of what cannot be looked for, and --prune-all removes them.')
    const { signal } = terminal
    // Begun before the first reading, so that no change is missed.
    const changes = args.watch ? await fileChanges(specs, { signal }) : undefined
    const store = await connect(args.db)
    const opened: { readonly close: () => Promise<void>; readonly run: IndexSome }[] = []
    try {
      for (const part of await partsOf(store, args, wanted, onError === 'skip', terminal)) {
        const embedder = await openVectorEmbedder(args, terminal, part)
        const name = args.collection ?? defaultCollection[embedder.modality]
        const collection = await store.collection(name, { embedder })
        const bar = progress(terminal, 'indexing')
        const run: IndexSome = async (paths, gone) => {
          const removed = await removeFiles(collection, gone, { signal })
          const report = await indexFiles(paths, {
            embedder,
            collection,
            prune: args['prune-all'] === true ? 'all' : args.prune === true || args.watch === true,
            onError: paths === specs ? onError : 'skip',
            signal,
            ...reading,
            ...(part.only && { only: part.only }),
            ...(wanted && { as: wanted }),
            ...(prompt !== undefined && { prompt }),
            onProgress: ({ done, total }) => bar.update(done, total),
          }).catch(async (error) => {
            bar.clear()
            if (isAborted(error))
              terminal.err(`${name}: ${await collection.count()} rows in ${args.db}; run it again to go on\n`)
            throw error
          })
          bar.clear()
          const told = { ...report, pruned: report.pruned + removed }
          await tell(told, { name, rows: await collection.count(), db: args.db, json: args.json }, terminal)
          return report.kept
        }
        const close = async () => {
          bar.clear()
          await collection.close()
          await embedder.dispose()
        }
        opened.push({ run, close })
      }
      for (const { run } of opened) {
        const kept = await run(specs, [])
        if (kept.length > 0 && changes) terminal.err(`pipilo: ${keptError(kept).message}\n`)
        else if (kept.length > 0) throw keptError(kept)
      }
      for await (const { changed, removed } of changes ?? []) {
        for (const { run } of opened) await run(changed, removed)
      }
    } catch (error) {
      // Ctrl-C is the usual end of following.
      if (!changes || !signal.aborted || !isAborted(error)) throw error
    } finally {
      for (const { close } of opened) await close()
      await store.close()
    }
  },
})

const isAborted = (error: unknown): boolean => error instanceof PipiloError && error.code === 'ABORTED'

/** Indexes some files, and removes the rows of others. */
type IndexSome = (paths: readonly string[], gone: readonly string[]) => Promise<readonly KeptRows[]>

/** A model and its collection, for all that is given or for one kind of it. */
interface Part {
  readonly modality: Modality
  readonly collection: Remembered | undefined
  readonly only?: InputModality
}

/** One part; where neither a model nor a collection is named and there are texts and pictures, one for each. */
async function partsOf(
  store: Store,
  args: {
    readonly _: readonly string[]
    readonly model?: string | undefined
    readonly collection?: string | undefined
    readonly encoding?: string | undefined
  },
  wanted: InputModality | undefined,
  skip: boolean,
  terminal: Terminal,
): Promise<Part[]> {
  const { model, collection, encoding } = args
  const known = model === undefined ? await rememberedBy(store, collection) : undefined
  if (known || model !== undefined) return [{ modality: wanted ?? 'text', collection: known }]
  const reading = encoding === undefined ? {} : { encoding }
  const left = new LeftOut(skip)
  const kinds = wanted ? [wanted] : await kindsIn(args._, terminal, left, reading)
  if (kinds.length === 0) {
    left.report(terminal)
    throw new PipiloError('INPUT_INVALID', `There is nothing to index in ${args._.join(', ')}.`)
  }
  const several = kinds[1] === 'image' && collection === undefined
  const parts: Part[] = []
  for (const modality of kinds.slice(0, several ? 2 : 1)) {
    const remembered = await rememberedBy(store, collection ?? defaultCollection[modality])
    parts.push({ modality, collection: remembered, ...(several && { only: modality }) })
  }
  return parts
}

/** Says what was done, and what was left out and why. */
async function tell(
  { indexed, unchanged, pruned, replaced, stale, skippedCount, skippedKinds, truncated }: IndexReport,
  { name, rows, db, json }: { name: string; rows: number; db: string; json: boolean | undefined },
  terminal: Terminal,
): Promise<void> {
  const counts = { indexed, unchanged, replaced, pruned, stale, skipped: skippedCount, truncated, rows }
  await terminal.out(
    json
      ? `${JSON.stringify({ collection: name, ...counts, skippedKinds })}\n`
      : `${name}: ${indexed} indexed, ${unchanged} unchanged, ${pruned + replaced} removed; ${rows} rows in ${db}\n`,
  )
  if (truncated > 0) {
    const texts = truncated === 1 ? 'text is' : 'texts are'
    terminal.err(
      `${truncated} ${texts} longer than the model reads: only the beginning was embedded (--by passage cuts none)\n`,
    )
  }
  reportKinds(skippedKinds, terminal, skippedCount)
  if (stale > 0) {
    const rows = stale === 1 ? '1 row is' : `${stale} rows are`
    terminal.err(
      `${rows} of what could be read before and was skipped now: as before (--prune removes what is damaged)\n`,
    )
  }
}

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
