// Reads a source into the first queue of a run, and closes it properly.
import { PipiloError, type Queue } from '../base/index.ts'
import { Breakdown, errorAt } from './failedRow.ts'
import { MAX_CHUNK, Pace } from './pace.ts'
import type { Source } from './types.ts'

/** Part of the run that {@link SourceReader} uses. */
export interface SourceRun {
  /** Rows read so far. */
  read: number
  /** Lets the event loop turn now and then. */
  breathe(): Promise<void> | undefined
}

/** Reads a source into the first queue, no further ahead than the queue has room, and leaves it properly. */
export class SourceReader {
  /** Settles as `return()` does; undefined while the source was not left early. */
  closed: Promise<void> | undefined
  readonly #iterator: Iterator<unknown> | AsyncIterator<unknown>
  readonly #asynchronous: boolean
  readonly #queue: Queue
  readonly #run: SourceRun
  #reading = false
  #finished = false

  constructor(source: Source<unknown>, queue: Queue, run: SourceRun) {
    const either = source as Partial<Iterable<unknown> & AsyncIterable<unknown>>
    this.#asynchronous = either[Symbol.asyncIterator] !== undefined
    this.#iterator = this.#asynchronous
      ? (source as AsyncIterable<unknown>)[Symbol.asyncIterator]()
      : (source as Iterable<unknown>)[Symbol.iterator]()
    this.#queue = queue
    this.#run = run
    queue.onStop = () => this.#leave()
  }

  /** Resolves when the source has ended or nobody reads it any more. */
  async read(): Promise<void> {
    try {
      await (this.#asynchronous ? this.#readAsynchronous() : this.#readSynchronous())
    } catch (error) {
      this.#finished = true
      const row = this.#run.read
      const failed =
        error instanceof PipiloError ? error : errorAt(`The source failed at row ${row}`, error, row)
      this.#queue.put({ items: [new Breakdown(row, 'source', failed, undefined)], rows: [row] })
    }
    this.#queue.end()
  }

  async #readSynchronous(): Promise<void> {
    const pace = new Pace()
    const iterator = this.#iterator as Iterator<unknown>
    while (!this.#queue.stopped) {
      await this.#queue.room()
      const start = performance.now()
      const count = Math.min(pace.limit, this.#queue.want - this.#queue.size)
      const items: unknown[] = []
      const rows: number[] = []
      this.#reading = true
      try {
        while (items.length < count && !this.#finished && !this.#queue.stopped) {
          const result = iterator.next()
          if (result.done) this.#finished = true
          else {
            items.push(result.value)
            rows.push(this.#run.read++)
          }
        }
      } finally {
        this.#reading = false
        this.#queue.put({ items, rows })
      }
      if (this.#queue.stopped) this.#leave()
      if (this.#finished) return
      pace.took(performance.now() - start, items.length)
      await this.#run.breathe()
    }
  }

  /** Rows that come in the same turn of the event loop travel together; none waits longer than that. */
  async #readAsynchronous(): Promise<void> {
    const iterator = this.#iterator as AsyncIterator<unknown>
    let items: unknown[] = []
    let rows: number[] = []
    let flushing: NodeJS.Immediate | undefined
    const flush = (): void => {
      clearImmediate(flushing)
      flushing = undefined
      this.#queue.put({ items, rows })
      items = []
      rows = []
    }
    try {
      while (!this.#queue.stopped) {
        const room = this.#queue.room()
        if (room) await room
        if (this.#queue.stopped) return
        this.#reading = true
        const result = await iterator.next()
        this.#reading = false
        if (result.done) {
          this.#finished = true
          return
        }
        items.push(result.value)
        rows.push(this.#run.read++)
        if (items.length >= Math.min(MAX_CHUNK, this.#queue.want - this.#queue.size)) flush()
        else flushing ??= setImmediate(flush)
        const breath = this.#run.breathe()
        if (breath) await breath
      }
    } finally {
      this.#reading = false
      flush()
    }
  }

  /** Calls `return()` once. */
  #leave(): void {
    if (this.#finished || this.closed) return
    // A generator that is just running leaves when it has given its row.
    if (this.#reading && !this.#asynchronous) return
    const left = new Promise<void>((resolve) => resolve(this.#iterator.return?.() as undefined))
    left.catch(() => {})
    // A source that waits for its next row may never answer: then nobody waits for it.
    this.closed = this.#reading ? Promise.resolve() : left
  }
}
