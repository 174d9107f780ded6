// Writes batches to a collection until it is killed, and prints the number of each that was acknowledged.
// Usage: node --import tsx writer.ts FOLDER NAME FIRST COUNT
import { connect } from '../index.ts'
import { dimensions, rowsOf } from './rows.ts'

const [folder, name, first, count] = process.argv.slice(2) as [string, string, string, string]
const store = await connect(folder, { indexAt: 300 })
const collection = await store.collection('birds', { dimensions })
for (let batch = Number(first); batch < Number(first) + Number(count); batch++) {
  await collection.upsert(rowsOf(name, batch))
  process.stdout.write(`${batch}\n`)
}
await store.close()
