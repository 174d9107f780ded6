// Command `project`: a map of texts and pictures, by one or several models and layers.
import { dirname } from 'node:path'
import {
  type EmbeddingMap,
  embeddingMap,
  type MapItem,
  type MapMethod,
  type MapOptions,
  mapEnding,
  writeMap,
} from '../../atlas/index.ts'
import { makeFolder } from '../../base/files/index.ts'
import { PipiloError } from '../../base/index.ts'
import { type AnyInput, type Embedder, inputFor, refuseModality } from '../../embed/index.ts'
import { defaultImageModel, defaultTextModel, type InputModality } from '../../models/index.ts'
import { collectionItems, connect } from '../../store/index.ts'
import { runSnapshots } from '../../train/index.ts'
import { command, numberOption, type Terminal, usageError } from '../command.ts'
import { modelsAndTaps } from '../lists.ts'
import { readMapItems } from '../mapItems.ts'
import {
  as,
  cosineArgs,
  database,
  embedderOptions,
  type ModelValues,
  onError,
  oneOf,
  openVectorEmbedder,
  promptArgs,
} from '../modelOptions.ts'
import { progress } from '../progress.ts'
import { reportSkipped } from '../skipped.ts'

export const project = command({
  name: 'project',
  description: 'Draw a map of texts and pictures: a page to look around in, or a picture',
  examples: [
    'pipilo project football soccer tennis footwear sandal --out words.svg',
    'pipilo project photos-by-class/ --out photos.html',
    "pipilo project 'photos/*.jpg' --tap 'block_6_expand_relu; block_13_project_BN' --pool mean --out layers.html",
    'pipilo project reviews.csv --model all-MiniLM-L6-v2,hf:BAAI/bge-small-en-v1.5 --out reviews.html',
    'pipilo project mnist --model ./runs/digits --method tsne --out digits.png',
    'pipilo project --collection photos --out photos.html',
    'pipilo project birds/ --watch runs/birds --out birds.html',
  ],
  args: {
    inputs: {
      type: 'positional',
      required: false,
      description:
        'Words, files of text, pictures, globs, folders by class, .csv or .jsonl with labels, mnist',
      valueHint: '…',
    },
    text: { type: 'boolean', description: 'The arguments are the texts themselves' },
    as,
    label: {
      type: 'string',
      description: 'Column of a table, or field of a collection, that holds the labels',
      valueHint: 'name',
    },
    collection: {
      type: 'string',
      description: 'Put the rows of a collection on the map, by their own vectors',
      valueHint: 'name',
    },
    db: database,
    ...cosineArgs,
    model: { ...cosineArgs.model, description: `${cosineArgs.model.description}; several with commas` },
    tap: { ...cosineArgs.tap, description: 'Layer of a map; several, side by side, with semicolons' },
    ...promptArgs,
    method: {
      type: 'string',
      description: 'How points are placed (default: umap)',
      valueHint: 'umap|tsne|pca',
    },
    neighbors: {
      type: 'string',
      description: 'Neighbours that UMAP looks at: few show details (default: 15)',
      valueHint: 'n',
    },
    perplexity: {
      type: 'string',
      description: 'Neighbours that t-SNE looks at (default: 30)',
      valueHint: 'n',
    },
    near: { type: 'string', description: 'Neighbours kept for each point (default: 10)', valueHint: 'n' },
    color: {
      type: 'string',
      description: 'Colours: label (the default where there are labels) or cluster',
      valueHint: 'label|cluster',
    },
    clusters: {
      type: 'string',
      description: 'Number of clusters (default: by the number of points)',
      valueHint: 'n',
    },
    seed: { type: 'string', description: 'Decides places and clusters (0)', valueHint: 'n' },
    title: { type: 'string', description: 'Title of the map', valueHint: 'words' },
    watch: {
      type: 'string',
      description:
        'Follow a training run (pipilo train --snapshots 1): the map is drawn again with each of its models',
      valueHint: 'folder',
    },
    out: { type: 'string', alias: 'o', description: 'A .html, .svg or .png file', valueHint: 'file' },
    'on-error': onError,
    json: { type: 'boolean', description: 'Places, groups and neighbours as JSON on standard output' },
  },
  async run(args, terminal) {
    const { out, json = false } = args
    if (out === undefined && !json) throw usageError('Draw the map into which file?', 'Name it with --out.')
    if (out !== undefined) {
      mapEnding(out)
      await makeFolder(dirname(out))
    }
    checkWords(args)
    const options = mapOptions(args)
    const write = async (map: EmbeddingMap, name: string, following = false): Promise<void> => {
      if (out === undefined) return
      const title = args.title ?? name
      const epochs = args.watch !== undefined
      // A run that is followed is seen at its newest.
      const view = epochs ? { view: map.views.at(-1)!.name } : {}
      const { withoutThumbnail } = await writeMap(out, map, {
        title,
        epochs,
        following,
        ...view,
        signal: terminal.signal,
      })
      const left = withoutThumbnail > 0 ? `, ${withoutThumbnail} pictures without a thumbnail` : ''
      terminal.err(`${out}: ${map.items.length} points, ${map.skipped.length} left out${left}\n`)
    }
    const draw: Draw = async (map, name, following) => {
      if (json) await terminal.out(`${asJson(map)}\n`)
      await write(map, name, following)
    }
    if (args.collection !== undefined) {
      const map = await ofCollection(args.collection, args, options, terminal)
      return draw(map, args.collection)
    }
    const skip = oneOf(args['on-error'], 'on-error', ['throw', 'skip']) === 'skip'
    const modality = oneOf<InputModality>(args.as, 'as', ['text', 'image'])
    const { items, skipped } = await readMapItems(
      args._,
      { text: args.text ?? false, as: modality, label: args.label, skip },
      terminal,
    )
    if (items.length === 0) {
      reportSkipped(skipped, terminal)
      throw new PipiloError('INPUT_INVALID', 'There is nothing to put on a map in what was given.')
    }
    const title = titleOf(args._)
    if (args.watch !== undefined) {
      const last = await watched(args.watch, items, args, { options, skip, terminal }, (map) =>
        draw(map, title, true),
      )
      // A page of a run that is over no longer loads itself again.
      await write(last, title)
    } else await draw(await ofModels(items, args, { options, skip, terminal }), title)
    reportSkipped(skipped, terminal)
  },
})

interface Words extends ModelValues {
  readonly _: readonly string[]
  readonly text?: boolean | undefined
  readonly as?: string | undefined
  readonly label?: string | undefined
  readonly collection?: string | undefined
  readonly db: string
  readonly method?: string | undefined
  readonly neighbors?: string | undefined
  readonly perplexity?: string | undefined
  readonly near?: string | undefined
  readonly color?: string | undefined
  readonly clusters?: string | undefined
  readonly seed?: string | undefined
  readonly watch?: string | undefined
}

/** Writes a map and tells of it. `following`: it is to be drawn again. */
type Draw = (map: EmbeddingMap, name: string, following?: boolean) => Promise<void>

/** Options of one map. */
interface Work {
  readonly options: MapOptions
  readonly skip: boolean
  readonly terminal: Terminal
}

function checkWords(args: Words): void {
  const { collection, watch, text } = args
  if (collection === undefined && args._.length === 0)
    throw usageError('Put what on the map?', 'Name words, files or folders, or a --collection.')
  if (text && args.as === 'image') throw usageError('--text and --as image contradict each other.')
  if (collection !== undefined) {
    if (args._.length > 0)
      throw usageError('A collection has vectors: leave out the inputs, or --collection.')
    if (watch !== undefined)
      throw usageError('A collection has vectors of its own: --watch would change nothing.')
    const { model, tap } = args
    if (model !== undefined || tap !== undefined)
      throw usageError('A collection has vectors: --model and --tap would change nothing.')
  }
  if (watch !== undefined && args.model !== undefined)
    throw usageError('--watch names the model: leave out --model.')
}

function mapOptions(args: Words): MapOptions {
  const method = oneOf<MapMethod>(args.method, 'method', ['umap', 'tsne', 'pca'])
  const color = oneOf(args.color, 'color', ['label', 'cluster'])
  const numbers = {
    neighbors: numberOption(args.neighbors, 'neighbors', 2),
    perplexity: numberOption(args.perplexity, 'perplexity'),
    near: numberOption(args.near, 'near'),
    clusters: numberOption(args.clusters, 'clusters'),
    seed: numberOption(args.seed, 'seed', 0),
  }
  return {
    ...(method && { method }),
    ...(color && { color }),
    ...Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== undefined)),
  }
}

async function mapped(
  items: readonly MapItem[],
  views: Parameters<typeof embeddingMap>[1],
  options: MapOptions,
  terminal: Terminal,
): Promise<EmbeddingMap> {
  const bar = progress(terminal, 'placing')
  try {
    return await embeddingMap(items, views, {
      ...options,
      signal: terminal.signal,
      onProgress: ({ done, total }) => bar.update(done, total),
    })
  } finally {
    bar.clear()
  }
}

async function ofCollection(
  name: string,
  args: Words,
  options: MapOptions,
  terminal: Terminal,
): Promise<EmbeddingMap> {
  const store = await connect(args.db)
  try {
    const collection = await store.collection(name)
    const { items, vectors } = await collectionItems(
      collection,
      args.label === undefined ? {} : { label: args.label },
    )
    const { recipe, identity } = collection
    await collection.close()
    if (items.length === 0)
      throw new PipiloError('INPUT_INVALID', `Collection ${name} is empty.`, { input: name })
    return await mapped(
      items,
      [{ name: recipe?.source.name ?? identity?.model ?? name, vectors }],
      options,
      terminal,
    )
  } finally {
    await store.close()
  }
}

async function ofModels(
  items: readonly MapItem[],
  args: Words,
  { options, skip, terminal }: Work,
): Promise<EmbeddingMap> {
  const sides = modelsAndTaps(args, hasPictures(items) ? defaultImageModel : defaultTextModel)
  for (const side of sides) embedderOptions(side)
  const views = []
  for (const side of sides) {
    const name = side.tap === undefined ? side.model : `${side.model} ${side.tap}`
    views.push({ name, vectors: await vectorsOf(items, side, name, { skip, terminal }) })
  }
  return mapped(items, views, options, terminal)
}

const hasPictures = (items: readonly MapItem[]): boolean => items[0]!.picture !== undefined

/** Vectors of all items; NaN for what could not be embedded, if that is allowed. */
async function vectorsOf(
  items: readonly MapItem[],
  args: ModelValues & { readonly model: string },
  label: string,
  { skip, terminal }: Pick<Work, 'skip' | 'terminal'>,
): Promise<readonly Float32Array[]> {
  const modality = hasPictures(items) ? 'image' : 'text'
  const embedder = (await openVectorEmbedder(args, terminal, { modality })) as Embedder<
    Float32Array,
    AnyInput
  >
  const bar = progress(terminal, label)
  try {
    const inputs = items.map(({ id, text, picture }) => {
      const modality = picture === undefined ? 'text' : 'image'
      const problem = refuseModality(embedder, { id, modality }, 'Map them apart, or name a --model of both.')
      if (problem) throw problem
      return inputFor(embedder, { input: picture ?? text ?? id, modality })
    })
    const { vectors, errors } = await embedder.embed(inputs, {
      onError: skip ? 'skip' : 'throw',
      signal: terminal.signal,
      onProgress: ({ done, total }) => bar.update(done, total),
    })
    bar.clear()
    reportSkipped(
      errors.map(({ index, error }) => ({ id: items[index]!.id, reason: error.message })),
      terminal,
    )
    return vectors
  } finally {
    bar.clear()
    await embedder.dispose()
  }
}

/** Draws the map again with each model of a run, until the run is over. */
async function watched(
  folder: string,
  items: readonly MapItem[],
  args: Words,
  { options, skip, terminal }: Work,
  draw: (map: EmbeddingMap) => Promise<void>,
): Promise<EmbeddingMap> {
  let map: EmbeddingMap | undefined
  terminal.err(`following ${folder}; Ctrl-C ends it\n`)
  for await (const { epoch, path } of runSnapshots(folder, { signal: terminal.signal })) {
    const name = `epoch ${epoch}`
    const all = map?.items ?? items
    const vectors = await vectorsOf(all, { ...args, model: path }, name, { skip, terminal })
    map = await mapped(all, [{ name, vectors }], { ...options, ...(map && { before: map }) }, terminal)
    await draw(map)
  }
  return map!
}

/** A title from what was given: a few words, or files. */
function titleOf(specs: readonly string[]): string {
  const words = specs.join(', ')
  return words.length > 60 ? `${specs.slice(0, 3).join(', ')}, …` : words
}

function asJson({ items, views, groups, near, skipped }: EmbeddingMap): string {
  return JSON.stringify({
    views: views.map(({ name, method }) => ({ name, method })),
    groups: { kind: groups.kind, names: groups.names },
    skipped: skipped.map(({ id }) => id),
    items: items.map(({ id, text, label }, i) => ({
      id,
      ...(text !== undefined && { text }),
      ...(label !== undefined && { label }),
      group: groups.names[groups.of[i]!],
      places: views.map(({ points }) => [points[2 * i], points[2 * i + 1]]),
      neighbours: views.map(({ neighbours, similarities }) =>
        Array.from({ length: near }, (_, at) => ({
          id: items[neighbours[i * near + at]!]!.id,
          cosine: similarities[i * near + at],
        })),
      ),
    })),
  })
}
