// Jobs: work that goes on after its request was answered, one at a time, with progress and an end.
import { randomUUID } from 'node:crypto'
import { PipiloError, Turns } from '../../base/index.ts'
import { isAborted, Refusal, refusalOf } from '../http/refusal.ts'

/** How far a job is. */
export interface JobProgress {
  readonly done: number
  readonly total?: number | undefined
  readonly indexed: number
  readonly unchanged: number
  readonly skipped: number
}

/** A job as clients see it. */
export interface JobState {
  readonly id: string
  readonly kind: 'index'
  readonly collection: string
  readonly state: 'waiting' | 'running' | 'done' | 'failed' | 'cancelled'
  readonly progress: JobProgress
  /** When it was asked for and when it ended, ISO 8601. */
  readonly created: string
  readonly ended?: string
  /** Its result. */
  readonly report?: unknown
  readonly error?: { readonly code: string; readonly message: string }
}

interface Job {
  state: JobState
  readonly stop: AbortController
  readonly listeners: Set<() => void>
}

/** Ended jobs that are remembered. */
const REMEMBERED = 200

/** All jobs of a server. */
export class Jobs {
  readonly #most: number
  readonly #onError: (error: unknown, request: string) => void
  readonly #turns = new Turns(1)
  readonly #jobs = new Map<string, Job>()
  readonly #running = new Set<Promise<void>>()
  #closed = false

  /** @param most that run or wait */
  constructor(most: number, onError: (error: unknown, request: string) => void) {
    this.#most = most
    this.#onError = onError
  }

  /** Jobs that run or wait. */
  get count(): number {
    return this.#running.size
  }

  /** @throws Refusal 429 where no more are taken, 503 when the server is being stopped */
  check(): void {
    if (this.#closed) throw new Refusal(503, 'closing', 'The server is being stopped.', { retryAfter: 5 })
    if (this.#running.size < this.#most) return
    throw new Refusal(429, 'rate_limit_exceeded', `${this.#most} jobs run or wait, and no more are taken.`, {
      retryAfter: 10,
    })
  }

  /**
   * Begins a job when those before it have ended.
   *
   * @throws Refusal 429, 503
   */
  start(
    collection: string,
    work: (job: {
      id: string
      signal: AbortSignal
      report: (progress: JobProgress) => void
    }) => Promise<unknown>,
  ): JobState {
    this.check()
    const id = randomUUID()
    const progress = { done: 0, indexed: 0, unchanged: 0, skipped: 0 }
    const job: Job = {
      state: { id, kind: 'index', collection, state: 'waiting', progress, created: new Date().toISOString() },
      stop: new AbortController(),
      listeners: new Set(),
    }
    this.#jobs.set(id, job)
    this.#forget()
    const { signal } = job.stop
    const run = this.#turns.run(
      async () => {
        change(job, { state: 'running' })
        return work({ id, signal, report: (now) => change(job, { progress: now }) })
      },
      { signal },
    )
    const ended = run
      .then(
        (report) => change(job, { state: 'done', report, ended: new Date().toISOString() }),
        (error: unknown) => {
          const cancelled = signal.aborted && isAborted(error)
          const { code, message, status } = refusalOf(error)
          if (!cancelled && status === 500) this.#onError(error, `job ${id}`)
          // Of an input that it could not read a job tells more than a request: the files are the client's own.
          const words =
            error instanceof PipiloError && status === 500 && error.code !== 'STORE_FAILED'
              ? error.code.toLowerCase()
              : code
          change(job, {
            state: cancelled ? 'cancelled' : 'failed',
            ended: new Date().toISOString(),
            ...(!cancelled && { error: { code: words, message } }),
          })
        },
      )
      .finally(() => this.#running.delete(ended))
    this.#running.add(ended)
    return job.state
  }

  /** All jobs that are remembered, the newest first. */
  list(): JobState[] {
    return [...this.#jobs.values()].map(({ state }) => state).reverse()
  }

  /** @throws Refusal 404 */
  get(id: string): JobState {
    return this.#find(id).state
  }

  /** Stops a job; what it has stored stays. @throws Refusal 404 */
  cancel(id: string): JobState {
    const job = this.#find(id)
    job.stop.abort()
    return job.state
  }

  /** Tells of changes. @returns takes the listener away */
  follow(id: string, listener: () => void): () => void {
    const { listeners } = this.#find(id)
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }

  /** Stops all, and waits for their ends. Requests under way begin no more. */
  async close(): Promise<void> {
    this.#closed = true
    for (const { stop } of this.#jobs.values()) stop.abort()
    await Promise.all(this.#running)
  }

  #find(id: string): Job {
    const job = this.#jobs.get(id)
    if (job) return job
    throw new Refusal(
      404,
      'job_not_found',
      `There is no job ${JSON.stringify(id.slice(0, 100))}, or it ended long ago.`,
    )
  }

  #forget(): void {
    for (const [id, { state }] of this.#jobs) {
      if (this.#jobs.size <= REMEMBERED) return
      if (state.ended !== undefined) this.#jobs.delete(id)
    }
  }
}

function change(job: Job, what: Partial<JobState>): void {
  job.state = { ...job.state, ...what }
  for (const listener of job.listeners) listener()
}
