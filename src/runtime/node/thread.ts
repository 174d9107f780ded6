// Starting worker threads, from source under any tool and from the built package.
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { Turns } from '../../base/index.ts'
import { turnsOf } from './deviceTurns.ts'
import { messageOf } from './failures.ts'
import { BUSY, LEAVING, type Reply, type Request } from './protocol.ts'
import { withoutTelemetry } from './telemetry.ts'

/** Error of a call whose thread ended before it replied. */
export class ThreadEnded extends Error {}

/**
 * A worker thread that answers one request at a time.
 *
 * It keeps the process alive only while a request is under way.
 */
export class Thread {
  readonly #worker: Worker
  readonly #state = new Int32Array(new SharedArrayBuffer(8))
  #waiting: { resolve: (reply: Reply) => void; reject: (error: Error) => void } | undefined
  #ended: Error | undefined
  #turns: Turns | undefined
  /** Settles when the thread has ended. */
  readonly end: Promise<void>

  constructor() {
    this.#worker = startWorker(this.#state)
    if (threads.size === 0) process.on('exit', leave)
    threads.add(this)
    this.#worker.on('message', (reply: Reply) => this.#settle()?.resolve(reply))
    this.end = new Promise((resolve) => {
      const ended = (why: string, cause?: unknown) => {
        this.#ended ??= new ThreadEnded(why, { cause })
        this.#settle()?.reject(this.#ended)
      }
      this.#worker.on('messageerror', (error) =>
        ended(`its reply could not be read: ${error.message}`, error),
      )
      this.#worker.on('error', (error) => ended(messageOf(error), error))
      this.#worker.on('exit', (code) => {
        ended(`exit code ${code}`)
        threads.delete(this)
        if (threads.size === 0) process.off('exit', leave)
        resolve()
      })
    })
    // Only now: listening for messages keeps the process alive again.
    this.#worker.unref()
  }

  /** True if it can still be asked. */
  get alive(): boolean {
    return this.#ended === undefined
  }

  /** Sends a request in the turn of its device; `moved` changes owner. Rejects with {@link ThreadEnded} when the thread ends first. */
  request(request: Request, moved: ArrayBuffer[] = []): Promise<Reply> {
    if (request.kind === 'open') this.#turns = turnsOf(request.plan)
    return this.#inTurn(() => this.#ask(request, moved))
  }

  #ask(request: Request, moved: ArrayBuffer[]): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#ended)
      // Throws, and so rejects, when a buffer has been moved away before.
      this.#worker.postMessage(request, moved)
      this.#waiting = { resolve, reject }
      this.#worker.ref()
    })
  }

  /** Frees the session and ends the thread. */
  close(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#ended) return
      this.#worker.ref()
      this.#worker.postMessage({ kind: 'close' } satisfies Request)
      await this.end
    })
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns ? this.#turns.run(work, { line: this }) : work()
  }

  /** Blocks until the thread is outside the native library, for good, so that the process can end. */
  leave(): void {
    Atomics.store(this.#state, LEAVING, 1)
    Atomics.wait(this.#state, BUSY, 1, PATIENCE)
  }

  #settle() {
    const waiting = this.#waiting
    this.#waiting = undefined
    this.#worker.unref()
    return waiting
  }
}

const threads = new Set<Thread>()

// At most so many milliseconds of a process's end are spent on a call that nobody waits for.
const PATIENCE = 10_000

function leave(): void {
  for (const thread of threads) thread.leave()
}

function startWorker(workerData: Int32Array): Worker {
  // Here and not in the worker, whose environment is a copy that the library does not see.
  withoutTelemetry()
  const source = import.meta.url.endsWith('.ts')
  const entry = new URL(source ? './worker.ts' : './worker.js', import.meta.url)
  // Flags of the caller's own program (`--input-type`, `--test`) are not for this thread.
  const options = { execArgv: [], name: 'pipilo', workerData }
  if (!source || (process.features as { typescript?: unknown }).typescript) return new Worker(entry, options)
  bundle ??= bundled(fileURLToPath(entry))
  return new Worker(bundle, options)
}

let bundle: string | undefined

/** The thread's entry from source as one file of JavaScript, as Node 20 reads no TypeScript. A loader would take longer than all else that a thread begins with. */
function bundled(entry: string): string {
  const require = createRequire(import.meta.url)
  // In a process of its own: the thread that esbuild would start instead stays.
  const before = process.env['ESBUILD_WORKER_THREADS']
  process.env['ESBUILD_WORKER_THREADS'] = '0'
  const { buildSync } = require('esbuild') as typeof import('esbuild')
  if (before === undefined) delete process.env['ESBUILD_WORKER_THREADS']
  else process.env['ESBUILD_WORKER_THREADS'] = before
  const { outputFiles } = buildSync({
    entryPoints: [entry],
    bundle: true,
    write: false,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
  })
  const { text, hash } = outputFiles[0]!
  // Packages are found from there.
  const folder = join(dirname(require.resolve('esbuild/package.json')), '../.cache/pipilo-sources')
  const file = join(folder, `worker-${hash.replace(/\W/g, '')}.mjs`)
  if (!existsSync(file)) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(`${file}.${process.pid}`, text)
    renameSync(`${file}.${process.pid}`, file)
  }
  return file
}

const spares: Thread[] = []

/**
 * Starts worker threads and loads the native library in them, for the next sessions to use.
 *
 * @example
 * ```ts
 * warmUp()                        // returns at once
 * const graph = await build()     // meanwhile the library is being loaded
 * const session = await compile(graph)
 * ```
 *
 * @param threads how many; those that already wait count. An unused one does not keep the process alive.
 */
export function warmUp(threads = 1): void {
  while (spares.length < threads) spares.push(new Thread())
}

/** A thread that has no session yet. */
export function takeThread(): Thread {
  for (let thread = spares.pop(); thread; thread = spares.pop()) if (thread.alive) return thread
  return new Thread()
}
