// Ends threads of one's own in the middle of a run, whose sessions are isolated: the process has to live on. Prints how many times it did.
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { compile } from '../index.ts'
import { endlessFeeds, endlessGraph } from '../testing/hostile.ts'

if (isMainThread) {
  const times = Number(process.argv[2])
  const folder = dirname(createRequire(import.meta.url).resolve('tsx/package.json'))
  const loader = pathToFileURL(join(folder, 'dist/esm/api/index.mjs'))
  let ended = 0
  const end = async () => {
    const worker = new Worker(
      `import('${loader}').then(({ register }) => { register(); return import('${import.meta.url}') })`,
      { eval: true },
    )
    await new Promise((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
    })
    await worker.terminate()
    ended += 1
  }
  for (let i = 0; i < times; i += 5) await Promise.all(Array.from({ length: Math.min(5, times - i) }, end))
  process.stdout.write(`${ended}\n`)
} else {
  const session = await compile(endlessGraph(), { isolate: true, workers: 1, threads: 1 })
  session.run(endlessFeeds()).catch(() => {})
  setTimeout(() => parentPort!.postMessage('running'), Math.random() * 40)
}
