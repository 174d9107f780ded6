import { embedder, connect, indexFiles } from './src/index.ts'
const [,, db, ...paths] = process.argv
const e = await embedder('all-MiniLM-L6-v2', { runtime: { workers: 1 } })
const fake = { name: e.name, modality: e.modality, recipe: e.recipe, dimensions: e.dimensions, model: e.model, card: e.card,
  async embed(inputs: readonly unknown[]) { const vectors = inputs.map((t) => { const v = new Float32Array(384).fill(0.01); for (const c of String(t).slice(0,300)) v[c.charCodeAt(0)%384]! += 1; return v }); return { vectors, data: new Float32Array(), dimensions: 384, truncated: [], errors: [] } } }
const store = await connect(db!); const c = await store.collection('texts', { embedder: e })
const t = Date.now(); let peak = 0; const tick = setInterval(() => { peak = Math.max(peak, process.memoryUsage().rss) }, 200)
const r = await indexFiles(paths, { embedder: fake as any, collection: c })
clearInterval(tick)
console.log(JSON.stringify({ ...r, skipped: r.skipped.length }, null, 1), (Date.now()-t)/1000, 's', Math.round(peak/1e6), 'MB', await c.count())
await store.close(); await e.dispose()
