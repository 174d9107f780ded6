// Command `demo`: indexes the sample sentences and pictures, and searches them.
import { existsSync } from 'node:fs'
import { PipiloError } from '../../base/index.ts'
import { type AnyInput, type Embedder, embedder } from '../../embed/index.ts'
import { defaultImageModel, defaultTextImageModel, defaultTextModel } from '../../models/index.ts'
import { serve } from '../../serve/index.ts'
import { type Collection, connect, indexFiles, type Store } from '../../store/index.ts'
import { cosineSimilarity } from '../../tensor/index.ts'
import { aborted, command, type Terminal, usageError } from '../command.ts'
import { database } from '../modelOptions.ts'
import { openPage } from '../openPage.ts'
import { samples } from '../ownFiles.ts'
import { progress } from '../progress.ts'
import { hitTable } from './search.ts'

const textQueries = [
  'a ball game between two teams',
  'software that does not work',
  'travelling by rail or by air',
]
const pictureQueries = ['bricks.jpg', 'drawing-cat.png', 'mountain-peaks.jpg']

/** Command line to show in examples: the repository's script when run from source, else the installed command. */
const called = import.meta.url.endsWith('.ts') ? 'npm run --silent pipilo --' : 'npx pipilo'

export const demo = command({
  name: 'demo',
  description: 'Embed, store and search the sample sentences and pictures that come with Pipilo',
  examples: ['pipilo demo', 'pipilo demo --open', 'pipilo demo --json'],
  args: {
    db: database,
    open: { type: 'boolean', description: 'Search them on a page, in the browser, until Ctrl-C' },
    json: { type: 'boolean', description: 'Print what was found as JSON' },
  },
  async run({ db, open, json }, terminal) {
    if (open && json)
      throw usageError('--open shows a page, and --json prints what was found: one of them at a time.')
    if (!existsSync(samples)) {
      throw new PipiloError('FILE_NOT_FOUND', `The samples are not at ${samples}.`, { input: samples })
    }
    if (open) return onPage(db, terminal)
    const say = (text: string) => (json ? Promise.resolve() : terminal.out(text))
    const store = await connect(db)
    try {
      const texts = await demonstrate(store, 'text', terminal, say)
      const pictures = await demonstrate(store, 'image', terminal, say)
      if (json) return terminal.out(`${JSON.stringify({ ...texts, ...pictures }, null, 2)}\n`)
      await say(
        [
          'Next, on files of your own:',
          '',
          `  ${called} index photos/                 # or notes/*.txt: a row a line`,
          `  ${called} search 'what you look for'    # or a picture: photos/owl.jpg`,
          `  ${called} inspect mobilenet-v2          # every layer can be the embedding: --tap`,
          '',
        ].join('\n'),
      )
    } finally {
      await store.close()
    }
  },
})

/** Collections of the samples: pictures also in one space with words. */
const collections = {
  text: { name: 'sample-sentences', model: defaultTextModel, path: 'sentences.txt', what: 'sentences' },
  image: { name: 'sample-pictures', model: defaultImageModel, path: 'pictures', what: 'pictures' },
  'text-image': {
    name: 'sample-pictures-by-words',
    model: defaultTextImageModel,
    path: 'pictures',
    what: 'pictures',
  },
}

/** Serves the page over the samples, until it is stopped. */
async function onPage(db: string, terminal: Terminal): Promise<void> {
  const store = await connect(db)
  try {
    for (const modality of ['text', 'image', 'text-image'] as const)
      await withIndexed(store, modality, terminal, (text) => terminal.out(text))
  } finally {
    await store.close()
  }
  const server = await serve({ db, files: samples, port: 0 })
  try {
    const from = new URLSearchParams({ q: textQueries[0]!, in: collections.text.name })
    from.append('in', collections['text-image'].name)
    const page = `${server.url}/?${from}`
    await terminal.out(`The page is at ${page}\n`)
    if (terminal.interactive) openPage(page)
    await aborted(terminal.signal)
  } finally {
    await server.close()
  }
}

async function demonstrate(
  store: Store,
  modality: 'text' | 'image',
  terminal: Terminal,
  say: Say,
): Promise<Record<string, unknown>> {
  return withIndexed<Record<string, unknown>>(store, modality, terminal, say, (model, collection) =>
    modality === 'text' ? sentences(model, collection, say) : pictures(collection, say),
  )
}

type Model = Embedder<Float32Array, AnyInput>
type Say = (text: string) => Promise<void>

/** Indexes samples, and does something with them. */
async function withIndexed<T>(
  store: Store,
  modality: keyof typeof collections,
  terminal: Terminal,
  say: Say,
  then?: (model: Model, collection: Collection) => Promise<T>,
): Promise<T> {
  const { name, model: wanted, path, what } = collections[modality]
  const model = (await embedder(wanted, { signal: terminal.signal })) as Model
  const collection = await store.collection(name, { embedder: model })
  const bar = progress(terminal, what)
  try {
    const started = performance.now()
    const { indexed, unchanged } = await indexFiles([path], {
      cwd: samples,
      embedder: model,
      collection,
      // A sentence a line: passages of several would be about nothing in particular.
      by: 'line',
      prune: true,
      signal: terminal.signal,
      onProgress: ({ done, total }) => bar.update(done, total),
    })
    bar.clear()
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    await say(
      `${what.charAt(0).toUpperCase()}${what.slice(1)} by ${model.name} (${model.dimensions} dimensions, ${model.tap}, ${model.pool}): ` +
        `${indexed} embedded, ${unchanged} already there, ${seconds} s\n\n`,
    )
    return (await then?.(model, collection)) as T
  } finally {
    bar.clear()
    await collection.close()
    await model.dispose()
  }
}

async function sentences(model: Model, collection: Collection, say: Say) {
  const { vectors } = await model.embed([...textQueries, 'football', 'soccer', 'footwear'])
  const searches: Record<string, unknown> = {}
  for (const [i, query] of textQueries.entries()) {
    const hits = await collection.search(vectors[i] as Float32Array, { k: 3 })
    searches[query] = hits
    await say(`Nearest to “${query}”:\n\n${hitTable(hits)}\n\n`)
  }
  const [football, soccer, footwear] = vectors.slice(-3) as [Float32Array, Float32Array, Float32Array]
  const near = cosineSimilarity(football, soccer)
  const far = cosineSimilarity(football, footwear)
  await say(
    `football · soccer ${near.toFixed(3)} ${near > far ? '>' : '≤'} football · footwear ${far.toFixed(3)}: ` +
      `${near > far ? 'meaning, not spelling' : 'spelling, not meaning'}\n\n`,
  )
  return { searches, football: { soccer: near, footwear: far } }
}

async function pictures(collection: Collection, say: Say) {
  const neighbours: Record<string, unknown> = {}
  for (const name of pictureQueries) {
    const id = `pictures/${name}`
    const [row] = await collection.get([id])
    if (!row) continue
    const hits = (await collection.search(row.vector, { k: 4 })).filter((hit) => hit.id !== id)
    neighbours[id] = hits
    await say(`Nearest to the picture ${id}:\n\n${hitTable(hits)}\n\n`)
  }
  return { neighbours }
}
