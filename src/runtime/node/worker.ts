// The entry of a worker thread: holds one session and runs what it is sent, one call after the other.
import { parentPort, workerData } from 'node:worker_threads'
import { type Engine, openEngine, primeRuntime } from './engine.ts'
import { HeldState } from './heldState.ts'
import { BUSY, LEAVING, movable, type Reply, type Request } from './protocol.ts'

if (!parentPort) throw new Error('worker.ts is the entry of a worker thread.')
const port = parentPort

const state = workerData as Int32Array
let engine: Engine | undefined
let held: HeldState | undefined
// Begun before the first message, while the caller's thread still builds its graph. A failure is told by `open`.
const primed = guarded(primeRuntime).catch(() => {})

const answers: { [Kind in Request['kind']]: (request: Extract<Request, { kind: Kind }>) => Promise<Reply> } =
  {
    async open({ plan, wiring }) {
      engine = await openEngine(plan)
      if (wiring) held = new HeldState(engine, wiring)
      return { kind: 'done', outputs: {} }
    },
    async run({ feeds, outputs }) {
      return { kind: 'done', outputs: await opened(engine).run(feeds, outputs) }
    },
    async step({ feeds, keep, fetch }) {
      return { kind: 'done', outputs: await opened(held).step(feeds, keep, fetch) }
    },
    async read({ names }) {
      return { kind: 'done', outputs: opened(held).read(names) }
    },
    async undo() {
      if (!opened(held).undo()) throw (await import('./failures.ts')).nothingToUndo()
      return { kind: 'done', outputs: {} }
    },
    async write({ tensors }) {
      opened(held).write(tensors)
      return { kind: 'done', outputs: {} }
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
  await guarded(async () => reply(await answer(request).catch((error) => failed(error, request))))
})

function opened<T>(part: T | undefined): T {
  if (part === undefined) throw new Error('No session is open.')
  return part
}

/** The reply for a failure, as an error that keeps its code, input and hint on the way. Its reader is loaded when it is needed. */
async function failed(error: unknown, request: Request): Promise<Reply> {
  const known =
    request.kind === 'open'
      ? await (await import('./device.ts')).openingError(error, request.plan)
      : (await import('./failures.ts')).runError(error)
  return { kind: 'failed', error: known.toJSON() }
}

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
