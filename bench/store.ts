/**
 * The vector store: an exact search beside the index at growing sizes (which is where the size at which an index is
 * built comes from), its recall with and without a filter, growth after the index was built, and many small writes.
 *
 *     npx tsx bench/store.ts [SIZES…]        # at the repository's root; default 5000 10000 20000 50000 100000 200000
 *     npx tsx bench/store.ts --texts FILE    # vectors of a file's lines by all-MiniLM-L6-v2 instead of made ones
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectLance } from '@lancedb/lancedb'
import { type Collection, connect, type Filter, type Row } from '../src/store/index.ts'

const QUERIES = 50
const DIMENSIONS = 384

const texts = process.argv.includes('--texts') ? process.argv[process.argv.indexOf('--texts') + 1] : undefined
const sizes = process.argv
  .slice(2)
  .map(Number)
  .filter((size) => size > 0)
const folder = mkdtempSync(join(tmpdir(), 'pipilo-bench-'))
try {
  const source = texts ? await textVectors(texts) : madeVectors()
  await searches(source, sizes.length > 0 ? sizes : source.sizes)
  await growth(source)
  await smallWrites(source)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

interface Source {
  readonly sizes: number[]
  row(index: number): Row
  readonly queries: Float32Array[]
}

/** How long and how true searches are, before and after the index is there. */
async function searches(source: Source, sizes: number[]) {
  const rows = []
  for (const size of sizes) {
    const db = join(folder, `${size}`)
    const flat = await connect(db, { indexAt: Number.POSITIVE_INFINITY })
    const without = await flat.collection('x', { dimensions: DIMENSIONS })
    await fill(without, source, 0, size, 4096)
    await without.optimize()
    const filters = {
      all: undefined,
      '30%': { part: { lt: 30 } },
      '2%': { part: { lt: 2 } },
      '1 row': { n: 77 },
    }
    const exact = await each(filters, (filter) => run(without, source.queries, filter))
    await flat.close()

    const indexed = await connect(db, { indexAt: 1 })
    const collection = await indexed.collection('x')
    const start = performance.now()
    await collection.optimize()
    const build = (performance.now() - start) / 1000
    const found = await each(filters, (filter) => run(collection, source.queries, filter))
    const one = await run(collection, source.queries, undefined, 1)
    await indexed.close()
    rmSync(db, { recursive: true })
    rows.push({
      rows: size,
      'exact ms': exact.all!.ms.toFixed(1),
      'index built s': build.toFixed(2),
      'index ms': found.all!.ms.toFixed(1),
      'recall@10': recall(found.all!, exact.all!).toFixed(3),
      'recall@1': recall(one, { ids: exact.all!.ids.map((ids) => ids.slice(0, 1)) }).toFixed(3),
      'of 30%': `${recall(found['30%']!, exact['30%']!).toFixed(3)} ${found['30%']!.ms.toFixed(1)} ms`,
      'of 2%': `${recall(found['2%']!, exact['2%']!).toFixed(3)} ${found['2%']!.ms.toFixed(1)} ms`,
      'of one row': `${recall(found['1 row']!, exact['1 row']!).toFixed(3)} ${found['1 row']!.ms.toFixed(1)} ms`,
    })
  }
  console.log('Searches for 10 neighbours, one at a time')
  console.table(rows)
}

/** A collection that grows tenfold while its index looks after itself. */
async function growth(source: Source) {
  const most = source.sizes.at(-1)!
  const db = join(folder, 'growth')
  const store = await connect(db, { indexAt: most / 10 })
  const collection = await store.collection('x', { dimensions: DIMENSIONS })
  let worst = 0
  const start = performance.now()
  for (let from = 0; from < most; from += 512) {
    const before = performance.now()
    await fill(collection, source, from, Math.min(512, most - from), 512)
    worst = Math.max(worst, performance.now() - before)
  }
  const seconds = (performance.now() - start) / 1000
  await collection.close()
  const grown = await store.collection('x')
  const found = await run(grown, source.queries)
  const files = await filesOf(db)
  await store.close()
  const table = await (await connectLance(db)).openTable('x')
  const exact = {
    ids: await Promise.all(
      source.queries.map(async (query) => {
        const search = table.query().nearestTo(query).distanceType('cosine').bypassVectorIndex().limit(10)
        return (await search.select(['id', '_distance']).toArray()).map(({ id }) => id as string)
      }),
    ),
  }
  console.log('Growing in batches of 512; the index is built after a tenth')
  console.table([
    {
      rows: most,
      seconds: seconds.toFixed(1),
      'slowest batch ms': worst.toFixed(0),
      'search ms': found.ms.toFixed(1),
      'recall@10': recall(found, exact).toFixed(3),
      ...files,
    },
  ])
  rmSync(db, { recursive: true })
}

/** 10,000 rows in batches of 64. */
async function smallWrites(source: Source) {
  const rows = []
  for (const replaced of [false, true]) {
    const db = join(folder, 'small')
    const store = await connect(db)
    const collection = await store.collection('x', { dimensions: DIMENSIONS })
    if (replaced) await fill(collection, source, 0, 10_000, 10_000)
    const start = performance.now()
    await fill(collection, source, 0, 10_000, 64)
    const seconds = (performance.now() - start) / 1000
    await store.close()
    rows.push({
      rows: replaced ? '10,000 replaced' : '10,000 new',
      seconds: seconds.toFixed(2),
      'rows/s': Math.round(10_000 / seconds),
      ...(await filesOf(db)),
    })
    rmSync(db, { recursive: true })
  }
  console.log('Batches of 64')
  console.table(rows)
}

async function filesOf(db: string) {
  const table = await (await connectLance(db)).openTable('x')
  const { fragmentStats } = await table.stats()
  const index = await table.indexStats('vector_idx')
  return {
    fragments: fragmentStats.numFragments,
    versions: (await table.listVersions()).length,
    'rows not in index': index?.numUnindexedRows ?? '',
  }
}

async function fill(collection: Collection, source: Source, first: number, count: number, batch: number) {
  for (let from = first; from < first + count; from += batch) {
    const length = Math.min(batch, first + count - from)
    await collection.upsert(Array.from({ length }, (_, i) => source.row(from + i)))
  }
}

async function run(collection: Collection, queries: Float32Array[], filter?: Filter, k = 10) {
  const options = filter ? { k, filter } : { k }
  await collection.search(queries[0]!, options)
  const ids: string[][] = []
  const start = performance.now()
  for (const query of queries) ids.push((await collection.search(query, options)).map(({ id }) => id))
  return { ids, ms: (performance.now() - start) / queries.length }
}

async function each<T>(filters: Record<string, Filter | undefined>, work: (filter?: Filter) => Promise<T>) {
  const results: Record<string, T> = {}
  for (const [name, filter] of Object.entries(filters)) results[name] = await work(filter)
  return results
}

function recall(found: { ids: string[][] }, exact: { ids: string[][] }): number {
  const shares = exact.ids.map((ids, i) => ids.filter((id) => found.ids[i]!.includes(id)).length / ids.length)
  return shares.reduce((sum, share) => sum + share) / shares.length
}

function rowOf(index: number, vector: Float32Array): Row {
  return {
    id: `some/folder/file.txt:${index}`,
    vector,
    metadata: { part: index % 100, n: index, path: 'some/folder/file.txt' },
  }
}

/**
 * Vectors that lie as those of texts do: topics with sub-topics of different sizes, a common mean, and a spectrum
 * that falls off, so that few directions carry most of the differences. Uniform noise has no neighbours to speak of.
 */
function madeVectors(): Source {
  const random = randomNumbers(7)
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  const spectrum = Float32Array.from({ length: DIMENSIONS }, (_, i) => 1 / Math.sqrt(1 + i / 8))
  const vector = (scale: number) => spectrum.map((value) => value * normal() * scale)
  const mean = vector(0.3)
  const topics = Array.from({ length: 300 }, () => vector(0.6))
  const subtopics = Array.from({ length: 5000 }, () => {
    const topic = topics[Math.floor(random() * random() * topics.length)]!
    return vector(0.5).map((value, i) => value + topic[i]! + mean[i]!)
  })
  const draw = () => {
    const centre = subtopics[Math.floor(random() * subtopics.length)]!
    return vector(0.3 + 0.5 * random()).map((value, i) => value + centre[i]!)
  }
  const made: Float32Array[] = []
  const queries = Array.from({ length: QUERIES }, draw)
  return {
    sizes: [5000, 10_000, 20_000, 50_000, 100_000, 200_000],
    queries,
    row(index) {
      while (made.length <= index) made.push(draw())
      return rowOf(index, made[index]!)
    },
  }
}

/** A file's lines through the default text model; every hundredth is a query. */
async function textVectors(file: string): Promise<Source> {
  const { embedder } = await import('../src/embed/index.ts')
  const lines = [...new Set(readFileSync(file, 'utf8').split('\n'))].filter((line) => line.trim() !== '')
  const model = await embedder('all-MiniLM-L6-v2')
  const { vectors } = await model.embed(lines)
  await model.dispose()
  const queries = vectors.filter((_, i) => i % 100 === 0).slice(0, QUERIES) as Float32Array[]
  const rows = vectors.filter((_, i) => i % 100 !== 0) as Float32Array[]
  return { sizes: [rows.length], queries, row: (index) => rowOf(index, rows[index]!) }
}

function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32
  }
}
