/**
 * Kills processes that index the same folder, at random moments, and says what is lost: nothing of what was ever stored may be missing, be
 * there twice, or have another vector, and in the end all is as in a collection that was indexed undisturbed.
 *
 *     npx tsx bench/indexKills.ts [--kills 44] [--at-once 1]     # at the repository's root
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connect } from '../src/store/index.ts'
import { indexerProcess } from '../src/store/testdata/indexerProcess.ts'

const option = (name: string, usual: number) => {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? usual : Number(process.argv[at + 1])
}
const kills = option('kills', 44)
const atOnce = option('at-once', 1)
const LINES = 1600

const folder = mkdtempSync(join(tmpdir(), 'pipilo-bench-'))
const texts = join(folder, 'texts')
const model = fileURLToPath(new URL('../src/models/testdata/sentence-transformers', import.meta.url))
mkdirSync(texts)
for (let file = 0; file < 20; file++) {
  const lines = Array.from({ length: LINES / 20 }, (_, i) => `line ${i} of the file ${file}`)
  writeFileSync(join(texts, `${file}.txt`), `${lines.join('\n')}\n`)
}

interface Stored {
  readonly vectors: Map<string, string>
  readonly twice: number
}

async function stored(db: string): Promise<Stored> {
  const store = await connect(db)
  const vectors = new Map<string, string>()
  let rows = 0
  if ((await store.list()).includes('texts')) {
    const collection = await store.collection('texts')
    const ids: string[] = []
    for await (const { id } of collection.rows()) ids.push(id)
    rows = ids.length
    for (const row of await collection.get([...new Set(ids)]))
      vectors.set(row!.id, Buffer.from(row!.vector.buffer).toString('base64') + JSON.stringify(row!.metadata))
  }
  await store.close()
  return { vectors, twice: rows - vectors.size }
}

try {
  const whole = join(folder, 'whole')
  const db = join(folder, 'killed')
  await indexerProcess(whole, texts, model)
  const expected = (await stored(whole)).vectors
  let [killed, finished, lost, changed, twice, failed] = [0, 0, 0, 0, 0, 0]
  let before = new Map<string, string>()
  while (killed < kills) {
    const ends = await Promise.all(
      Array.from({ length: Math.min(atOnce, kills - killed) }, () =>
        indexerProcess(db, texts, model, Math.random() * 600),
      ),
    )
    for (const { done, errors } of ends) {
      if (errors) {
        failed++
        console.log(errors.slice(0, 500))
      }
      if (done) finished++
      else if (!errors) killed++
    }
    const now = await stored(db)
    for (const [id, row] of before) {
      if (!now.vectors.has(id)) lost++
      else if (now.vectors.get(id) !== row) changed++
    }
    twice += now.twice
    before = now.vectors
    if (before.size === LINES) {
      // All was stored before the last kill: take some away, so that there is something to write.
      const store = await connect(db)
      const collection = await store.collection('texts')
      await collection.delete([...before.keys()].filter(() => Math.random() < 0.7))
      await store.close()
      before = (await stored(db)).vectors
    }
  }
  await indexerProcess(db, texts, model)
  const end = await stored(db)
  const wrong = [...expected].filter(([id, row]) => end.vectors.get(id) !== row).length
  console.table([
    {
      kills: killed,
      'at once': atOnce,
      'ended by itself': finished,
      'ended by an error': failed,
      'rows lost': lost,
      'rows changed': changed,
      'rows twice': twice,
      'rows in the end': end.vectors.size,
      'of them other than undisturbed': wrong,
    },
  ])
  if (lost + changed + twice + wrong + failed > 0 || end.vectors.size !== LINES) process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
