// A process whose SVGs are drawn in a child: `once` draws and ends, `endless` is in the middle of one that takes for ever, `worker` draws in a thread. It prints what is asked for.
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { childrenOf } from '../../../runtime/testdata/isolatedParent.ts'
import { decodeImage } from '../image.ts'
import { blurred, copies } from './hostileSvg.ts'

const mode = process.argv.at(-1)
const say = (text: unknown) => process.stdout.write(`${text}\n`)

if (!isMainThread) {
  const { width } = await decodeImage(blurred())
  parentPort!.postMessage(width)
  decodeImage(copies()).catch(() => {})
  setTimeout(() => parentPort!.postMessage('running'), 100)
} else if (mode === 'once') {
  await decodeImage(blurred())
  say(childrenOf(process.pid).join(' '))
} else if (mode === 'endless') {
  await decodeImage(blurred())
  void decodeImage(copies())
  setTimeout(() => say(childrenOf(process.pid).join(' ')), 200)
} else if (mode === 'worker') {
  const worker = new Worker(
    `import('tsx/esm/api').then(({ register }) => { register(); return import('${import.meta.url}') })`,
    { eval: true },
  )
  worker.on('error', (error) => say(error))
  worker.on('message', async (message) => {
    say(message)
    if (message !== 'running') return
    say(childrenOf(process.pid).join(' '))
    await worker.terminate()
    setTimeout(() => say('lives'), 100)
  })
}
