// Command `search`: finds the nearest texts and pictures of a collection.
import { readFile } from 'node:fs/promises'
import { fileError } from '../../base/files/index.ts'
import { PipiloError } from '../../base/index.ts'
import { inputFor, queryPrompt, refusePrompt } from '../../embed/index.ts'
import type { InputModality } from '../../models/index.ts'
import { type Collection, connect, type Filter, type Hit, type Store } from '../../store/index.ts'
import { command, numberOption, type Terminal, usageError } from '../command.ts'
import { kindOf } from '../kindOf.ts'
import {
  as,
  database,
  embedderOptions,
  type ModelValues,
  modelArgs,
  oneOf,
  openVectorEmbedder,
  promptArgs,
} from '../modelOptions.ts'
import { table } from '../table.ts'
import { defaultCollection } from './index.ts'

export const search = command({
  name: 'search',
  description: 'Find the nearest neighbours of a text or a picture',
  examples: [
    "pipilo search 'a walk by the sea'",
    'pipilo search photos/owl.jpg -k 5',
    `pipilo search 'a red bird' --collection photos --filter '{"line":null}'`,
    `pipilo search 'owls' --collection notes --filter '{"line":{"lt":100}}' --json`,
    `pipilo search 'XJ-900 manual' --hybrid --distinct --filter '{"or":[{"path":{"startsWith":"docs/"}},{"not":{"text":{"contains":"draft"}}}]}'`,
  ],
  args: {
    query: { type: 'positional', required: true, description: 'A text, or the path of a picture' },
    db: database,
    collection: {
      type: 'string',
      description: 'Collection to search (default: the one that fits the query)',
      valueHint: 'name',
    },
    k: { type: 'string', alias: 'k', description: 'Number of hits', valueHint: 'n', default: '10' },
    filter: {
      type: 'string',
      description: `Conditions on metadata as JSON: {"year":{"gte":2020},"kind":"bird"}, or @file.json`,
      valueHint: 'json',
    },
    hybrid: { type: 'boolean', description: 'Search the words of the query, too, and join both by rank' },
    exact: { type: 'boolean', description: 'Compare with every row, also where there is an index' },
    probes: {
      type: 'string',
      description: 'Partitions of the index to read: more miss less and take longer',
      valueHint: 'n',
    },
    distinct: { type: 'boolean', description: 'Of hits with the same content, only the best' },
    as: {
      ...as,
      description: 'Take the query for a text or for the path of a picture, whatever it looks like',
    },
    ...modelArgs,
    ...promptArgs,
    json: { type: 'boolean', description: 'Print [{ "id", "score", … }], best first' },
  },
  async run(args, terminal) {
    if (args._.length > 1)
      throw usageError('pipilo search takes one query.', 'Quote a text of several words.')
    const k = numberOption(args.k, 'k')!
    const filter = args.filter === undefined ? undefined : await parseFilter(args.filter)
    const probes = numberOption(args.probes, 'probes')
    embedderOptions(args)
    if (args.query.trim() === '') throw usageError('The query is empty.')
    const store = await connect(args.db)
    try {
      const { collection, vector, modality } = await answer(store, args, terminal)
      if (args.hybrid && modality === 'image')
        throw usageError('--hybrid looks for words, and the query is a picture.')
      const hits = await collection.search(vector, {
        k,
        exact: args.exact === true,
        distinct: args.distinct === true,
        hybrid: args.hybrid === true && { words: args.query },
        ...(filter && { filter }),
        ...(probes !== undefined && { probes }),
      })
      await collection.close()
      await terminal.out(
        args.json
          ? `${JSON.stringify(
              hits.map(({ id, score, metadata }) => ({ id, score, ...metadata })),
              null,
              2,
            )}\n`
          : `${hits.some(({ metadata }) => metadata['by'] === 'passage') ? passages(hits, terminal.width) : hitTable(hits)}\n`,
      )
    } finally {
      await store.close()
    }
  },
})

/** Opens the collection with the model that its vectors came from, and embeds the query. */
async function answer(
  store: Store,
  args: ModelValues & {
    readonly query: string
    readonly db: string
    readonly collection?: string | undefined
    readonly as?: string | undefined
  },
  terminal: Terminal,
): Promise<{ collection: Collection; vector: Float32Array; modality: InputModality }> {
  const name = args.collection ?? (await guessCollection(store, args.query, args.db))
  const collection = await store.collection(name)
  if (args.model === undefined && !collection.recipe && !collection.identity) {
    throw usageError(
      `Collection ${JSON.stringify(name)} does not say which model made it.`,
      'Name it with --model.',
    )
  }
  const { prompt } = embedderOptions(args)
  const threads = numberOption(args.threads, 'threads') ?? 1
  const runtime = { workers: 1, threads }
  const embedder = await openVectorEmbedder(args, terminal, { modality: 'text', collection, runtime })
  try {
    // Opened again with the embedder, the collection checks that the vectors are comparable.
    await collection.close()
    const checked = await store.collection(name, { embedder })
    const wanted = oneOf<InputModality>(args.as, 'as', ['text', 'image'])
    const modality =
      embedder.modality === 'text-image'
        ? (wanted ?? (await kindOf(args.query, terminal)))
        : embedder.modality
    if (modality === 'text' && wanted === undefined && (await kindOf(args.query, terminal)) === 'image') {
      throw usageError(
        `The collection ${JSON.stringify(name)} is of texts, and ${args.query} is a picture.`,
        'Name a collection of pictures with --collection, or search for the words themselves with --as text.',
      )
    }
    if (modality === 'image') refusePrompt(prompt, 'The query is a picture')
    const { vectors } = await embedder.embed([inputFor(embedder, { input: args.query, modality })], {
      signal: terminal.signal,
      ...(modality === 'text' && { prompt: prompt ?? queryPrompt(embedder) }),
    })
    return { collection: checked, vector: vectors[0]!, modality }
  } finally {
    await embedder.dispose()
  }
}

/** Collection for a query without `--collection`: pictures for a path that looks like one, else texts, else the only one. */
async function guessCollection(store: Store, query: string, db: string): Promise<string> {
  const names = await store.list()
  if (names.length === 1) return names[0]!
  const picture = /\.(jpe?g|png|webp|avif|gif|svg|tiff?)$/i.test(query)
  const guess = defaultCollection[picture ? 'image' : 'text']
  if (names.includes(guess)) return guess
  if (!names.length) {
    throw new PipiloError('COLLECTION_UNKNOWN', `There is no collection in ${db}.`, {
      hint: 'Make one with pipilo index.',
    })
  }
  throw usageError(`Which collection? ${db} holds ${names.join(', ')}.`, 'Name one with --collection.')
}

async function parseFilter(text: string): Promise<Filter> {
  const path = text.startsWith('@') ? text.slice(1) : undefined
  const json =
    path === undefined
      ? text
      : await readFile(path, 'utf8').catch((error) => Promise.reject(fileError(error, path, 'read')))
  try {
    const filter: unknown = JSON.parse(json)
    if (typeof filter === 'object' && filter !== null && !Array.isArray(filter)) return filter as Filter
  } catch {}
  throw usageError(
    `--filter is a JSON object such as {"year":{"gte":2020}}, not ${JSON.stringify(text)}.`,
    'Mind the shell’s quotes.',
  )
}

/** Lines of a passage that are shown; `--json` has all of it. */
const SHOWN_LINES = 6

/** Hits with their places, and below each the passage itself. */
function passages(hits: readonly Hit[], width: number): string {
  return hits
    .map(({ id, score, metadata: { heading, text } }) => {
      const lines = typeof text === 'string' ? wrapped(text, Math.max(40, width - 8)) : []
      const shown = lines.slice(0, SHOWN_LINES)
      if (lines.length > SHOWN_LINES) shown[SHOWN_LINES - 1] += ' …'
      const above = typeof heading === 'string' ? `  ${heading}` : ''
      return [`${score.toFixed(4)}  ${id}${above}`, ...shown.map((line) => `        ${line}`)].join('\n')
    })
    .join('\n\n')
}

/** The lines of a text, the long ones in several. */
function wrapped(text: string, width: number): string[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .flatMap(
      (line) =>
        line
          .match(new RegExp(`.{1,${width}}(?=\\s|$)|.{${width}}`, 'g'))
          ?.map((part, i) => (i > 0 ? part.trimStart() : part)) ?? [line],
    )
}

/** Hits as a table: score, id, and the text where the hit has one. */
export function hitTable(hits: readonly Hit[]): string {
  if (!hits.length) return 'no hits'
  const texts = hits.some(({ metadata }) => typeof metadata.text === 'string')
  return table(
    [
      { heading: 'score', align: 'right' },
      { heading: 'id', limit: 60, keep: 'end' },
      ...(texts ? [{ heading: 'text', limit: 72 }] : []),
    ],
    hits.map(({ id, score, metadata }) => [
      score.toFixed(4),
      id,
      ...(texts ? [String(metadata.text ?? '')] : []),
    ]),
  )
}
