// The entry of a worker thread: holds one session and runs what it is sent, one call after the other.
import { parentPort, workerData } from 'node:worker_threads'
import { type Engine, openEngine, primeRuntime } from './engine.ts'
import { BUSY, LEAVING, movable, type Reply, type Request } from './protocol.ts'

if (!parentPort) throw new Error('worker.ts is the entry of a worker thread.')
const port = parentPort

const state = workerData as Int32Array
let engine: Engine | undefined
// Begun before the first message, while the caller's thread still builds its graph. A failure is told by `open`.
const primed = guarded(primeRuntime).catch(() => {})

const answers: { [Kind in Request['kind']]: (request: Extract<Request, { kind: Kind }>) => Promise<Reply> } =
  {
    async open({ plan }) {
      engine = await openEngine(plan)
      return { kind: 'done', outputs: {} }
    },
    async run({ feeds, outputs }) {
      if (!engine) throw new Error('No session is open.')
      return { kind: 'done', outputs: await engine.run(feeds, outputs) }
    },
    async close() {
      await engine?.close()
      port.close()
      return { kind: 'done', outputs: {} }
    },
  }

port.on('message', async (request: Request) => {
  await primed
  const answer = answers[request.kind] as (request: Request) => Promise<Reply>
  await guarded(async () =>
    reply(
      await answer(request).catch(
        (error): Reply => ({
          kind: 'failed',
          message: error instanceof Error ? error.message : String(error),
        }),
      ),
    ),
  )
})

/** Does work inside the native library, unless the process is about to end; see {@link BUSY}. */
async function guarded(work: () => Promise<void>): Promise<void> {
  Atomics.store(state, BUSY, 1)
  try {
    if (Atomics.load(state, LEAVING) === 0) await work()
  } finally {
    Atomics.store(state, BUSY, 0)
    Atomics.notify(state, BUSY)
  }
}

function reply(message: Reply): void {
  if (message.kind === 'failed') {
    port.postMessage(message)
    return
  }
  const { tensors, moved } = movable(message.outputs)
  port.postMessage({ kind: 'done', outputs: tensors } satisfies Reply, moved)
}
