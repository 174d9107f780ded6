import { readInputs, embedder } from './src/embed/index.ts'
const [,, tok, ...paths] = process.argv
const e = tok === 'tok' ? await embedder('all-MiniLM-L6-v2', { runtime: { workers: 0 } }) : undefined
let n = 0, chars = 0, peak = 0; const kinds = new Map<string, number>()
const t = Date.now(); const c0 = process.cpuUsage()
for await (const p of readInputs(paths, e ? { embedder: e as any } : {})) {
  if (p.error) { const k = p.error.message.replaceAll(p.id, '…').slice(0, 90); kinds.set(k, (kinds.get(k) ?? 0) + 1) } else if (p.modality === 'text') { n++; chars += p.input.length } else kinds.set('picture', (kinds.get('picture') ?? 0) + 1)
  if (n % 20000 === 0 || n % 20000 === 1) { const u = process.cpuUsage(c0); const m = process.memoryUsage(); console.log(n, Math.round(chars / 1e6), 'M chars', Math.round(m.rss / 1e6), 'MB', Math.round(m.heapUsed/1e6), ((u.user + u.system) / 1e6).toFixed(1), 'cpu s', (Date.now() - t) / 1000) }
  peak = Math.max(peak, process.memoryUsage.rss())
}
const u = process.cpuUsage(c0)
console.log('END', n, Math.round(chars / 1e6), 'M chars', Math.round(peak / 1e6), 'MB', ((u.user + u.system) / 1e6).toFixed(1), 'cpu s', (Date.now() - t) / 1000, JSON.stringify([...kinds].sort((a, b) => b[1] - a[1]).slice(0, 30), null, 1))
