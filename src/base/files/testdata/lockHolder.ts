// Takes a lock, says so by a line, and holds it until standard input ends or the process is killed; or takes it many times.
// Usage: node --import tsx lockHolder.ts PATH [FILE TIMES]
import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { withLock } from '../lock.ts'

const [path, file, times] = (isMainThread ? process.argv.slice(2) : workerData) as [string, string?, string?]
if (file === undefined) {
  await withLock(path, undefined, async () => {
    process.stdout.write(`held\n`)
    parentPort?.postMessage('held')
    for (const end = process.stdin; !end.readableEnded; ) await sleep(50, end.resume())
  })
} else {
  // Reading, waiting, and writing one more loses a count whenever two do it at once.
  for (let i = 0; i < Number(times); i++) {
    await withLock(path, undefined, async () => {
      const count = Number(readFileSync(file, 'utf8'))
      await sleep(Math.random() * 3)
      writeFileSync(file, String(count + 1))
    })
  }
}
