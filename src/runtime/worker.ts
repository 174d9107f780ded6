// The entry of a worker thread: holds one session and runs what it is sent, one call after the other.
import { parentPort } from 'node:worker_threads'
import { type Engine, loadRuntime, openEngine } from './engine.ts'
import { movable, type Reply, type Request } from './protocol.ts'

const port = parentPort
if (!port) throw new Error('worker.ts is the entry of a worker thread.')

let engine: Engine | undefined
// Begun before the first message, while the caller's thread still builds its graph. A failure is told by `open`.
loadRuntime().catch(() => {})

port.on('message', async (request: Request) => {
  try {
    if (request.kind === 'open') {
      engine = await openEngine(request.plan)
      reply({ kind: 'done', outputs: {} })
    } else if (request.kind === 'run') {
      if (!engine) throw new Error('No session is open.')
      reply({ kind: 'done', outputs: await engine.run(request.feeds, request.outputs) })
    } else {
      await engine?.close()
      port.close()
    }
  } catch (error) {
    reply({ kind: 'failed', message: error instanceof Error ? error.message : String(error) })
  }
})

function reply(message: Reply): void {
  if (message.kind === 'failed') {
    port?.postMessage(message)
    return
  }
  const { tensors, moved } = movable(message.outputs)
  port?.postMessage({ kind: 'done', outputs: tensors } satisfies Reply, moved)
}
