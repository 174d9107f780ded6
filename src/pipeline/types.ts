// Types of runs: options, progress, sources.
export interface RunOptions {
  /**
   * Treatment of a row that fails: `throw` ends the run with its error, after the rows before it were handed out;
   * `skip` leaves it out (progress counts it); `keep` hands it out in its place. Default `throw`.
   */
  readonly onError?: 'throw' | 'skip' | 'keep'
  /** Ends the run with an error of code `ABORTED`, and frees the source and the operators. */
  readonly signal?: AbortSignal
  /** Called at most every 50 ms, and once at the end. */
  readonly onProgress?: (progress: Progress) => void
}

export interface StageProgress {
  readonly name: string
  /** Rows that came in. */
  readonly in: number
  /** Rows that went out. */
  readonly out: number
  /** Rows that failed here. */
  readonly errors: number
}

export interface Progress {
  /** Rows read from the source. */
  readonly read: number
  /** Rows handed to the reader of the pipeline. */
  readonly done: number
  /** Rows that failed, in all stages. */
  readonly errors: number
  readonly stages: readonly StageProgress[]
  /** True for the last event of the run. */
  readonly finished: boolean
}

/** Anything that yields rows. A source that is not an array is read once, and `return()` is called when it is left early. */
export type Source<T> = Iterable<T> | AsyncIterable<T>
