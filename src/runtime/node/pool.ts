// Spreads the calls of one session over worker threads.
import { abortError, PipiloError } from '../../base/index.ts'
import type { Tensor } from '../../tensor/index.ts'
import type { Plan } from './engine.ts'
import { messageOf } from './failures.ts'
import { type Holder, ProcessEnded } from './holder.ts'
import { movable } from './protocol.ts'
import { ThreadEnded, takeThread } from './thread.ts'

/** Sentence of the error of an aborted run. */
export const ABORTED = 'The run was aborted.'

const OPENING_ABORTED = 'The opening of the session was aborted.'

type Tensors = Readonly<Record<string, Tensor>>

interface Call {
  readonly feeds: Tensors
  readonly outputs: readonly string[]
  readonly resolve: (outputs: Record<string, Tensor>) => void
  readonly reject: (error: PipiloError) => void
  /** The one that runs it. */
  holder?: Holder
}

/**
 * Worker threads that each hold a session of the same plan.
 *
 * Calls start in the order they came, on the first idle worker. A worker is added, up to `size`, when a call would
 * otherwise wait; one that crashed is replaced in the same way.
 */
export class Pool {
  #plan: Plan
  #size: number
  /** Threads whose sessions are not optimised. */
  readonly #early = new Set<Holder>()
  readonly #idle: Holder[] = []
  readonly #queue: Call[] = []
  #threads = 0
  #opening = 0
  #drained: (() => void) | undefined
  readonly #closing: Promise<void>[] = []
  #closed = false

  private constructor(plan: Plan, size: number) {
    this.#plan = plan
    this.#size = size
  }

  /** Opens the first session, so that a graph that the runtime refuses fails here and not at the first call. */
  static async open(plan: Plan, size: number, signal?: AbortSignal): Promise<Pool> {
    const pool = new Pool(plan, size)
    pool.#threads = 1
    pool.#idle.push(await pool.#openThread(plan, signal))
    // The kept form is written once, by the first session.
    pool.#plan = { ...plan, writeTo: undefined }
    return pool
  }

  /**
   * Opens a pool whose first sessions are not optimised and there at once. An optimised one is made meanwhile, and theirs are
   * closed when it is there.
   *
   * @returns the pool as `runner`, and whether the optimised session came to be: otherwise the first ones stay
   */
  static async openEarly(
    plan: Plan,
    size: number,
    signal?: AbortSignal,
  ): Promise<{ runner: Pool; optimised: Promise<boolean> }> {
    const pool = await Pool.open({ ...plan, writeTo: undefined, early: true }, size, signal)
    return { runner: pool, optimised: pool.#optimise(plan) }
  }

  /** Queues a call. Aborting takes it from the queue; when it has begun, it ends and its result is dropped. */
  run(feeds: Tensors, outputs: readonly string[], signal?: AbortSignal): Promise<Record<string, Tensor>> {
    return new Promise((resolve, reject) => {
      const call: Call = { feeds, outputs, resolve: settle(resolve), reject: settle(reject) }
      const abort = () => {
        const place = this.#queue.indexOf(call)
        if (place >= 0) this.#queue.splice(place, 1)
        else call.holder?.kill?.()
        call.reject(abortError(signal, ABORTED))
        this.#settleDispose()
      }
      function settle<T>(action: (value: T) => void) {
        return (value: T) => {
          signal?.removeEventListener('abort', abort)
          action(value)
        }
      }
      signal?.addEventListener('abort', abort, { once: true })
      this.#queue.push(call)
      this.#next()
    })
  }

  /** Waits for the calls that were made, then ends the threads. */
  async close(): Promise<void> {
    this.#closed = true
    await new Promise<void>((resolve) => {
      this.#drained = resolve
      this.#settleDispose()
    })
    await Promise.all([...this.#closing, ...this.#idle.splice(0).map((thread) => thread.close())])
  }

  #next(): void {
    while (this.#queue.length > 0 && this.#idle.length > 0) {
      const thread = this.#idle.pop() as Holder
      if (thread.alive) void this.#serve(thread, this.#queue.shift() as Call)
      else this.#threads -= 1
    }
    while (this.#opening < this.#queue.length && this.#threads < this.#size) void this.#grow()
    this.#settleDispose()
  }

  async #serve(thread: Holder, call: Call): Promise<void> {
    call.holder = thread
    try {
      const { tensors, moved } = movable(call.feeds)
      const reply = await thread.request({ kind: 'run', feeds: tensors, outputs: call.outputs }, moved)
      if (reply.kind === 'done') call.resolve(reply.outputs)
      else call.reject(PipiloError.fromJSON(reply.error))
    } catch (error) {
      call.reject(crashed(error))
    }
    this.#rest(thread)
    this.#next()
  }

  /** A thread that has nothing to do: it waits for the next call, unless its session has become stale. */
  #rest(thread: Holder): void {
    const stale = this.#early.has(thread) && !this.#plan.early
    if (thread.alive && !stale) this.#idle.push(thread)
    else this.#threads -= 1
    if (stale) this.#closing.push(thread.close())
  }

  async #optimise(plan: Plan): Promise<boolean> {
    this.#threads += 1
    this.#opening += 1
    try {
      this.#idle.push(await this.#openThread(plan))
      this.#plan = { ...plan, writeTo: undefined }
      for (const thread of this.#idle.splice(0)) this.#rest(thread)
      return true
    } catch {
      this.#threads -= 1
      return false
    } finally {
      this.#opening -= 1
      this.#next()
    }
  }

  async #grow(): Promise<void> {
    this.#threads += 1
    this.#opening += 1
    try {
      this.#rest(await this.#openThread())
    } catch (error) {
      this.#threads -= 1
      // The others go on without it. With none left, a waiting call learns why, and the next one tries again.
      if (this.#threads > 0) this.#size = this.#threads
      else this.#queue.shift()?.reject(error as PipiloError)
    } finally {
      this.#opening -= 1
      this.#next()
    }
  }

  async #openThread(plan = this.#plan, signal?: AbortSignal): Promise<Holder> {
    const thread = await takeHolder(plan)
    const abort = () => thread.kill?.()
    signal?.addEventListener('abort', abort, { once: true })
    const reply = await thread
      .request({ kind: 'open', plan })
      .catch((error) => {
        throw signal?.aborted ? abortError(signal, OPENING_ABORTED) : crashed(error)
      })
      .finally(() => signal?.removeEventListener('abort', abort))
    if (plan.early) this.#early.add(thread)
    if (signal?.aborted) {
      await thread.close()
      throw abortError(signal, OPENING_ABORTED)
    }
    if (reply.kind === 'done') return thread
    await thread.close()
    throw PipiloError.fromJSON(reply.error)
  }

  #settleDispose(): void {
    if (
      this.#closed &&
      this.#queue.length === 0 &&
      this.#opening === 0 &&
      this.#idle.length === this.#threads
    )
      this.#drained?.()
  }
}

/** One that has no session yet, as a plan asks for it. */
async function takeHolder({ isolate }: Plan): Promise<Holder> {
  if (!isolate) return takeThread()
  const { ChildHolder } = await import('./childHolder.ts')
  return new ChildHolder()
}

function crashed(error: unknown): PipiloError {
  if (!(error instanceof ThreadEnded)) return unsendable(error)
  if (error instanceof ProcessEnded) {
    return new PipiloError('RUNTIME_DIED', `The process that ran the model ended: ${error.message}.`, {
      hint: 'A graph can end ONNX Runtime, or take all memory. The next call starts a new process.',
      cause: error,
    })
  }
  return new PipiloError('WORKER_CRASHED', `The worker that ran the model ended: ${error.message}.`, {
    hint: 'The next call starts a new one. If it keeps happening, memory may be short: use fewer workers or smaller batches.',
    cause: error,
  })
}

/** The error of feeds that cannot be posted. */
export function unsendable(error: unknown): PipiloError {
  return new PipiloError('INPUT_INVALID', `The feeds could not be sent to a worker: ${messageOf(error)}.`, {
    hint: 'Arrays that an earlier run was given have been moved and cannot be used again.',
    cause: error,
  })
}
