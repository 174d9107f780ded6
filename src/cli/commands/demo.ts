// Command `demo`: indexes the sample sentences and pictures, and searches them.
import { existsSync } from 'node:fs'
import { PipiloError } from '../../base/index.ts'
import { embedder } from '../../embed/index.ts'
import { defaultImageModel, defaultTextModel } from '../../models/index.ts'
import { type Collection, connect, indexFiles, type Store } from '../../store/index.ts'
import { cosineSimilarity } from '../../tensor/index.ts'
import { command, type Terminal } from '../command.ts'
import { database } from '../modelOptions.ts'
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
  examples: ['pipilo demo', 'pipilo demo --json'],
  args: {
    db: database,
    json: { type: 'boolean', description: 'Print what was found as JSON' },
  },
  async run({ db, json }, terminal) {
    if (!existsSync(samples)) {
      throw new PipiloError('FILE_NOT_FOUND', `The samples are not at ${samples}.`, { input: samples })
    }
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

async function demonstrate(
  store: Store,
  modality: 'text' | 'image',
  terminal: Terminal,
  say: (text: string) => Promise<void>,
): Promise<Record<string, unknown>> {
  const text = modality === 'text'
  const model = await embedder(text ? defaultTextModel : defaultImageModel, { signal: terminal.signal })
  const collection = await store.collection(text ? 'sample-sentences' : 'sample-pictures', {
    embedder: model,
  })
  const bar = progress(terminal, text ? 'sentences' : 'pictures')
  try {
    const started = performance.now()
    const path = text ? 'sentences.txt' : 'pictures'
    const { indexed, unchanged } = await indexFiles([path], {
      cwd: samples,
      embedder: model,
      collection,
      prune: true,
      signal: terminal.signal,
      onProgress: ({ done, total }) => bar.update(done, total),
    })
    bar.clear()
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    await say(
      `${text ? 'Sentences' : 'Pictures'} by ${model.name} (${model.dimensions} dimensions, ${model.tap}, ${model.pool}): ` +
        `${indexed} embedded, ${unchanged} already there, ${seconds} s\n\n`,
    )
    return text ? await sentences(model, collection, say) : await pictures(collection, say)
  } finally {
    bar.clear()
    await collection.close()
    await model.dispose()
  }
}

type Model = Awaited<ReturnType<typeof embedder>>
type Say = (text: string) => Promise<void>

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
