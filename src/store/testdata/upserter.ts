// Upserts the same new ids as others do, once for every line of standard input, and prints the line when they are stored.
// Usage: node --import tsx upserter.ts FOLDER NAME
import { createInterface } from 'node:readline'
import { connect } from '../index.ts'
import { sameRows } from './rows.ts'

const [folder, name] = process.argv.slice(2) as [string, string]
const store = await connect(folder)
const collection = await store.collection('birds')
process.stdout.write('ready\n')
for await (const round of createInterface({ input: process.stdin })) {
  await collection.upsert(sameRows(round, name))
  process.stdout.write(`${round}\n`)
}
await store.close()
