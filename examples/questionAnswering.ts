/**
 * Question answering over a folder of documents: the passages that answer, with file and lines. Without arguments: the troubleshooting
 * pages that npm's package `ai` carries.
 *
 *     npx tsx questionAnswering.ts [FOLDER QUESTION]      # in examples/, after npm ci
 */
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { connect, embedder, indexFiles } from 'pipilo'

/** Documents that everybody has who has installed the examples. */
export const documents = join(
  dirname(fileURLToPath(import.meta.resolve('ai/package.json'))),
  'docs/09-troubleshooting',
)

export interface Answer {
  readonly text: string
  readonly place: string
  readonly score: number
}

/** A function that answers questions from a folder's Markdown, HTML, PDF, DOCX or text files; call `close` when done. */
export async function answers(folder: string, db = '.pipilo') {
  const e = await embedder('all-MiniLM-L6-v2')
  const store = await connect(db)
  const passages = await store.collection('documents', { embedder: e })
  // Only what is new or changed is embedded; what has gone is removed.
  await indexFiles([folder], { embedder: e, collection: passages, only: 'text', prune: true })
  return {
    async ask(text: string, k = 3): Promise<Answer[]> {
      // Words and meaning together: names of functions and errors are found by their letters.
      const hits = await passages.search({ text }, { k, hybrid: true, distinct: true })
      return hits.map(({ id, score, metadata }) => ({ text: String(metadata.text), place: id, score }))
    },
    async close() {
      await store.close()
      await e.dispose()
    },
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]!).href) {
  const [folder = documents, question = 'Why does my stream stop after the deployment?'] =
    process.argv.slice(2)
  const { ask, close } = await answers(folder)
  for (const { place, text } of await ask(question)) console.log(`${place}\n${text}\n`)
  await close()
}
