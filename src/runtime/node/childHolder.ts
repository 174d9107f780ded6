// Child processes that hold a session each: what ends the library ends them, and not the caller.
import type { ChildProcess } from 'node:child_process'
import { forkFile, hearLastWords, keepAlive } from '../../base/files/index.ts'
import { type Holder, ProcessEnded } from './holder.ts'
import type { Reply, Request } from './protocol.ts'
import { withoutTelemetry } from './telemetry.ts'

/** Milliseconds that a child is given to free its session. */
const PATIENCE = 5_000

/**
 * A child process that answers one request at a time. It keeps the caller's process alive only while a request is under way, and ends with it,
 * however that ends: its pipe to it closes.
 */
export class ChildHolder implements Holder {
  readonly #child: ChildProcess
  #waiting: { resolve: (reply: Reply) => void; reject: (error: Error) => void } | undefined
  #ended: ProcessEnded | undefined
  readonly #end: Promise<void>

  constructor() {
    this.#child = startChild()
    this.#end = new Promise((resolve) => {
      const ended = (why: string, cause?: unknown) => {
        this.#ended ??= new ProcessEnded(why, { cause })
        this.#settle()?.reject(this.#ended)
        resolve()
      }
      this.#child.on('message', (reply: Reply | { readonly kind: 'ended'; readonly why: string }) => {
        if (reply.kind !== 'ended') return this.#settle()?.resolve(reply)
        ended(reply.why)
        this.kill()
      })
      this.#child.on('error', (error) => ended(error.message, error))
      const lastWords = hearLastWords(this.#child)
      // `close` comes behind the last of its output, which may say why.
      this.#child.on('close', (code, signal) =>
        ended(`${signal ? `it was ended by ${signal}` : `exit code ${code}`}${lastWords()}`),
      )
    })
    this.#idle(true)
  }

  get alive(): boolean {
    return this.#ended === undefined
  }

  request(request: Request): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#ended)
      this.#waiting = { resolve, reject }
      this.#idle(false)
      // A request that cannot be sent as the child has ended is told by its end.
      this.#child.send(request, (error) => {
        if (error && !/EPIPE|channel closed|ECONNRESET/i.test(error.message)) this.#settle()?.reject(error)
      })
    })
  }

  async close(): Promise<void> {
    if (this.#ended) return
    this.#idle(false)
    const late = setTimeout(() => this.kill(), PATIENCE)
    this.#child.send({ kind: 'close' } satisfies Request, () => {})
    await this.#end
    clearTimeout(late)
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  #settle() {
    const waiting = this.#waiting
    this.#waiting = undefined
    this.#idle(true)
    return waiting
  }

  /** An idle child does not keep the caller's process alive. */
  #idle(isIdle: boolean): void {
    keepAlive(this.#child, isIdle ? 'unref' : 'ref')
  }
}

function startChild(): ChildProcess {
  withoutTelemetry()
  return forkFile(import.meta.url, 'child')
}
