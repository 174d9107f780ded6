// State of one run: counters, progress, the signal of its end, and breaks for the event loop.
import { breathe } from '../base/index.ts'
import type { Progress, RunOptions } from './types.ts'

/** Progress is told at least this often. */
const REPORT_MS = 50

/** A stage's counters. */
export interface StageCount {
  readonly name: string
  /** How errors call it: `stage 2 (imageDecode)`. */
  readonly label: string
  in: number
  out: number
  errors: number
}

/** State that the stages of one run share. */
export class Run {
  readonly onError: 'throw' | 'skip' | 'keep'
  readonly counts: readonly StageCount[]
  read = 0
  done = 0
  readonly #controller = new AbortController()
  readonly #onProgress: RunOptions['onProgress']
  #reported = performance.now()

  constructor(names: readonly string[], options: RunOptions) {
    this.onError = options.onError ?? 'throw'
    this.#onProgress = options.onProgress
    this.counts = names.map((name, i) => ({
      name,
      label: `stage ${i + 1} (${name})`,
      in: 0,
      out: 0,
      errors: 0,
    }))
  }

  /** Aborted at the run's end, however it ends. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  stop(): void {
    this.#controller.abort()
  }

  /**
   * A promise when the event loop should have its turn, so that timers, signals and sockets are served while cheap
   * functions run over a long source; otherwise undefined.
   */
  breathe(): Promise<void> | undefined {
    if (this.#onProgress && performance.now() - this.#reported > REPORT_MS) this.report(false)
    return breathe()
  }

  report(finished: boolean): void {
    this.#reported = performance.now()
    this.#onProgress?.(this.#progress(finished))
  }

  #progress(finished: boolean): Progress {
    return {
      read: this.read,
      done: this.done,
      errors: this.counts.reduce((sum, count) => sum + count.errors, 0),
      stages: this.counts.map((count) => ({
        name: count.name,
        in: count.in,
        out: count.out,
        errors: count.errors,
      })),
      finished,
    }
  }
}
