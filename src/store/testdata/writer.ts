// Writes batches to a collection until it is killed, and prints the number of each that was acknowledged.
// Usage: node --import tsx writer.ts FOLDER NAME FIRST COUNT [optimize] [unlocked]
//   optimize: brings the collection in order after every fifth batch; unlocked: as on object storage, where there are no locks.
import { connect } from '../index.ts'
import { infoOf, schemaOf } from '../lanceArrow.ts'
import { withoutLocks } from '../lanceSharing.ts'
import { LanceTable } from '../lanceTable.ts'
import type { Metadata, Row } from '../types.ts'
import { dimensions, rowsOf } from './rows.ts'

const [folder, name, first, count, ...flags] = process.argv.slice(2) as [string, string, string, string]
const writer = flags.includes('unlocked' as never) ? await unlocked() : await locked()
for (let batch = Number(first); batch < Number(first) + Number(count); batch++) {
  await writer.upsert(rowsOf(name, batch))
  process.stdout.write(`${batch}\n`)
  if (flags.includes('optimize' as never) && batch % 5 === 4) await writer.optimize()
}
await writer.close()

async function locked() {
  const store = await connect(folder, { indexAt: 300 })
  const collection = await store.collection('birds', { dimensions })
  return {
    upsert: (rows: readonly Row[]) => collection.upsert(rows),
    optimize: () => collection.optimize(),
    close: () => store.close(),
  }
}

async function unlocked() {
  process.env.LANCEDB_LOG = 'error'
  const { connect: connectLance } = await import('@lancedb/lancedb')
  const connection = await connectLance(folder, { readConsistencyInterval: 0 })
  const lance = await connection
    .createEmptyTable('birds', schemaOf({ dimensions }))
    .catch(() => connection.openTable('birds'))
  const table = new LanceTable(lance, infoOf(await lance.schema())!, withoutLocks, { indexAt: 300 })
  return {
    upsert: (rows: readonly Row[]) =>
      table.upsert(
        rows.map(({ id, vector, metadata }) => ({
          id,
          vector: vector as Float32Array,
          metadata: metadata as Metadata,
        })),
        {},
      ),
    optimize: () => table.optimize(),
    close: () => table.close(),
  }
}
