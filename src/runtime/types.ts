// Types of sessions and of their options.
import type { Graph, ValueInfo } from '../graph/index.ts'
import type { Tensor } from '../tensor/index.ts'

/**
 * Device on which a graph runs. `webgpu` comes with ONNX Runtime's package on Linux x64, Windows and macOS; `cuda` needs a part of it that
 * is installed apart; `coreml` is macOS, `directml` Windows.
 */
export type Device = 'cpu' | 'webgpu' | 'cuda' | 'coreml' | 'directml'

/** A process of its own: `true`, or with a bound of its memory. */
export type Isolation =
  | boolean
  | {
      /** Bytes of resident memory, weights and the library among them, past which the process is ended. Default: three quarters of the machine's memory, or of the container's. */
      readonly memory?: number
    }

export interface CompileOptions {
  /**
   * Device on which the graph runs; operators that it lacks run on the CPU. Default `cpu`. A device has one worker whatever
   * `workers` says, keeps nothing (`persist`, `early`), and should prove itself: {@link Session.prove}. All WebGPU sessions
   * of a process take turns, and must be opened from one of its threads.
   */
  device?: Device
  /**
   * Compute in float16 on a device, with float32 where halves are too small or too coarse (see `inHalf`); weights of any float
   * dtype. Default `false`; an embedder with `dtype: 'fp16'` sets it. Without effect on the CPU. A device that cannot does it
   * in float32, and {@link Session.halfRefused} says why. Tried on ONNX Runtime's CPU and on a WebGPU without halves only.
   */
  half?: boolean
  /**
   * How many worker threads hold a session each. `0` runs in place, on the calling thread, and blocks it.
   * Default: chosen from the number of processors, see `defaults()`; one for more than 1 GiB of weights.
   * At most 4 × processors or 64, whichever is more.
   */
  workers?: number
  /**
   * Threads inside one operator, for each worker. Default: chosen so that `workers × threads` is the number of processors.
   * At most 4 × processors or 64, whichever is more.
   */
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
  /**
   * Run the graph in child processes, one for each of `workers` (at least 1), for files from strangers: some graphs end the process that ONNX Runtime
   * runs in. There, that is the call's error (`RUNTIME_DIED`, which says the signal), and the next call starts a new child. A child that takes too much memory ({@link Isolation}) is ended in
   * the same way, and so is one whose call is aborted. Inputs and outputs are copied between the processes. Default `false`.
   */
  isolate?: Isolation
  /** Stops the opening, with code `ABORTED`; with `isolate` its process ends at once, whatever the graph does. */
  signal?: AbortSignal
  /** Write ONNX Runtime's profile to files with this prefix. */
  profile?: string
  /**
   * Keep the optimised graph and its packed weights below `cacheDir`, so that the next session is made in half the time, shares
   * its weights with this one, and can be opened by {@link Session.kept} without the graph. Default `false`: it takes
   * half as much disk again as the weights.
   */
  persist?: boolean
}

export interface RunOptions {
  /** Rejects the call with code `ABORTED`. A run that has begun inside the native library ends first and is dropped; with `isolate` its process is ended. */
  signal?: AbortSignal
}

/** A compiled graph. */
export interface Session {
  readonly inputs: readonly ValueInfo[]
  readonly outputs: readonly ValueInfo[]
  /** Calls that can run at the same time (the number of workers, at least 1). */
  readonly concurrency: number
  /** Device on which it runs. */
  readonly device: Device
  /** True if it computes in float16: with {@link CompileOptions.half} on a device that can. */
  readonly half?: boolean
  /** The reason why it computes in float32 although {@link CompileOptions.half} was asked for. */
  readonly halfRefused?: string
  /** With `persist`: the address of the session in the cache; a later `compile` of the same graph finds it by itself. */
  readonly kept?: string
  /**
   * Runs the graph. Arrays of the feeds may be moved to another thread: do not use them afterwards.
   * @param outputs names of the outputs to fetch. Default: all.
   */
  run(
    feeds: Readonly<Record<string, Tensor>>,
    outputs?: readonly string[],
    options?: RunOptions,
  ): Promise<Record<string, Tensor>>
  /**
   * Runs one input on the device and on the CPU, and compares every output: GPU backends are known to give wrong numbers in
   * silence. Bounds, for each output and each row of it along the last axis: cosine at least 0.9999 and no difference above 1% of
   * the largest value, for a graph whose weights are all float32; 0.99 and 10% for one that computes in halves or has half-precision or integer weights;
   * integers and booleans are equal. What was right is remembered for this graph with its weights, the device, its driver as
   * far as the system tells it, and the version of ONNX Runtime. On the CPU nothing is done.
   *
   * @param options.recheck compare again although it was right before
   * @throws `DEVICE_WRONG`
   */
  prove(feeds: Readonly<Record<string, Tensor>>, options?: { readonly recheck?: boolean }): Promise<void>
  /** Frees the native sessions and threads. Calls under way end first; later calls fail with code `DISPOSED`. */
  dispose(): Promise<void>
}

/** Numbers of a graph's operators that run on a device and on the CPU. */
export interface Placement {
  readonly device: Device
  /** Operators that ran, after the library has joined what it can. */
  readonly operators: number
  /** How many of them ran on the CPU, by the operator's name. */
  readonly onCpu: Readonly<Record<string, number>>
  /** True if it computed in float16. */
  readonly half?: boolean
  /** The reason why not, where that was asked for. */
  readonly halfRefused?: string
}

/** How a graph becomes a session that holds state. */
export interface StatefulOptions
  extends Pick<CompileOptions, 'device' | 'threads' | 'cacheDir' | 'lower' | 'profile'> {
  /**
   * For each input that is kept, the output that its next value comes from, or its own name where it stays as it was written. An initializer
   * may be named as well as an input: it becomes one, with its value as the first state.
   */
  state: Readonly<Record<string, string>>
  /** `1`: on a thread of its own, the default. `0`: in place, on the calling thread, which it blocks. */
  workers?: 0 | 1
}

/** One step of a {@link StatefulSession}. */
export interface Step {
  /** Inputs that are no state. Their arrays may be moved to another thread: do not use them afterwards. */
  readonly feeds?: Readonly<Record<string, Tensor>>
  /** The state that takes its new value; the rest keeps the old one. Default: all of it. `[]` evaluates and changes nothing. */
  readonly keep?: readonly string[]
  /** Outputs to return. Default: those that are no next value of the state. */
  readonly fetch?: readonly string[]
  /**
   * Takes a step that waits for its turn out of the line, with code `ABORTED`: the state is unchanged. A step that has begun
   * ends, counts, and gives its results.
   */
  readonly signal?: AbortSignal
}

/**
 * A compiled graph that keeps named tensors between its steps, on one thread that they never leave.
 *
 * Calls take effect in the order in which they are made. When the thread ends, the state is lost: that call and every later
 * one fail with code `WORKER_CRASHED`, and nothing begins anew in silence.
 */
export interface StatefulSession {
  /** The inputs that each step is fed. */
  readonly inputs: readonly ValueInfo[]
  readonly outputs: readonly ValueInfo[]
  /** The inputs that are kept. */
  readonly state: readonly ValueInfo[]
  /** Runs the graph once. A step that fails leaves the state as it was. */
  step(step?: Step): Promise<Record<string, Tensor>>
  /** Copies of the state as the calls before have left it. Default: all of it. */
  read(names?: readonly string[]): Promise<Record<string, Tensor>>
  /**
   * Takes the last step back: the state is as it was before. Once for each step.
   *
   * @throws `INPUT_INVALID` when no step was made since the last `write` or `undo`
   */
  undo(): Promise<void>
  /** Sets some or all of the state; the arrays are copied, and all or none is taken. */
  write(state: Readonly<Record<string, Tensor>>): Promise<void>
  /** Frees the session, its state and its thread. Calls made before end first; later ones fail with code `DISPOSED`. */
  dispose(): Promise<void>
}

/** Turns a graph into something that runs. */
export type Compile = (graph: Graph, options?: CompileOptions) => Promise<Session>
