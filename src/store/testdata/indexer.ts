// Indexes the texts of a folder until it is killed, in small batches, and prints how many inputs were dealt with after each.
// Usage: node --import tsx indexer.ts DATABASE TEXTS MODEL
import { embedder } from '../../embed/index.ts'
import { connect, indexFiles } from '../index.ts'

const [database, texts, model] = process.argv.slice(2) as [string, string, string]
const e = await embedder(model, { runtime: { workers: 0 } })
const store = await connect(database)
const collection = await store.collection('texts', { embedder: e })
await indexFiles([texts], {
  embedder: e,
  collection,
  cwd: texts,
  by: 'line',
  batch: 8,
  prune: true,
  onProgress: ({ done }) => process.stdout.write(`${done}\n`),
})
await store.close()
await e.dispose()
process.stdout.write('done\n')
