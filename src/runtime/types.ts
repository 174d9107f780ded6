// Types of sessions and of their options.
import type { Graph, ValueInfo } from '../graph/index.ts'
import type { Tensor } from '../tensor/index.ts'

export interface CompileOptions {
  /**
   * How many worker threads hold a session each. `0` runs in place, on the calling thread, and blocks it.
   * Default: chosen from the number of processors, see `defaults()`; one for more than 1 GiB of weights.
   */
  workers?: number
  /** Threads inside one operator, for each worker. Default: chosen so that `workers × threads` is the number of processors. */
  threads?: number
  /** Folder of converted weights. Default: `PIPILO_CACHE`, else `$XDG_CACHE_HOME/pipilo`, else `~/.cache/pipilo`. */
  cacheDir?: string
  /** Lower the graph to operators that ONNX Runtime is fast at. Default `true`. */
  lower?: boolean
  /**
   * Return before the graph is optimised and its weights are packed. Until another thread has done that, runs take a third
   * longer (ResNet-50) and may differ from later ones in the last bits. Default: `true` for 64 MiB and more of weights in
   * Conv, MatMul and Gemm, where optimising takes longer than a first run. Without effect on 0 workers or with `profile`.
   */
  early?: boolean
  /** Write ONNX Runtime's profile to files with this prefix. */
  profile?: string
  /**
   * Keep the optimised graph and its packed weights below `cacheDir`, so that the next session is made in half the time, shares
   * its weights with this one, and can be opened by {@link Session.prepared} without the graph. Default `false`: it takes
   * half as much disk again as the weights.
   */
  persist?: boolean
}

export interface RunOptions {
  /** Rejects the call with code `ABORTED`. A run that has begun inside the native library ends first and is dropped. */
  signal?: AbortSignal
}

/** A compiled graph. */
export interface Session {
  readonly inputs: readonly ValueInfo[]
  readonly outputs: readonly ValueInfo[]
  /** Calls that can run at the same time (the number of workers, at least 1). */
  readonly concurrency: number
  /** With `persist`: the address under which `reopen` finds this session. */
  readonly prepared?: string
  /**
   * Runs the graph. Arrays of the feeds may be moved to another thread: do not use them afterwards.
   * @param outputs names of the outputs to fetch. Default: all.
   */
  run(
    feeds: Readonly<Record<string, Tensor>>,
    outputs?: readonly string[],
    options?: RunOptions,
  ): Promise<Record<string, Tensor>>
  /** Frees the native sessions and threads. Calls under way end first; later calls fail with code `DISPOSED`. */
  dispose(): Promise<void>
}

/** Turns a graph into something that runs. */
export type Compile = (graph: Graph, options?: CompileOptions) => Promise<Session>
