// Asynchronous functions of this room's door; each loads its code with its first call, while the worker's thread starts.

import { cacheFolder } from '../../base/files/index.ts'
import { lazily } from '../../base/index.ts'
import type { Place } from '../../graph/index.ts'

/**
 * Turns a graph into a session that runs it.
 *
 * @example
 * ```ts
 * const session = await compile(graph)
 * const { embedding } = await session.run({ input_ids, attention_mask })
 * await session.dispose()
 * ```
 *
 * @remarks
 * The session lives on worker threads, so that the caller's event loop stays free; the first is there when this
 * returns, further ones come when calls wait. Weights are mapped from the file they lie in; float16 and bfloat16 ones are
 * converted once, into a file below `cacheDir`.
 *
 * @throws `GRAPH_INVALID` or `OPERATOR_UNSUPPORTED` when ONNX Runtime refuses the graph, `OPTION_INVALID`,
 *   `WRITE_FAILED` when large weights need a file and none can be written, `WORKER_CRASHED`
 */
export const compile = lazily(async () => (await import('./compile.ts')).compile)

/**
 * Turns a graph into a session that keeps some of its tensors between calls: weights and moments of a training step, or a
 * counter.
 *
 * @example
 * ```ts
 * const session = await compileStateful(graph, { state: { weight: 'weight.next', moment: 'moment.next' } })
 * await session.write({ weight, moment })
 * for (const feeds of batches) console.log((await session.step({ feeds, fetch: ['loss'] })).loss)
 * const trained = await session.read(['weight'])
 * await session.dispose()
 * ```
 *
 * @remarks
 * State whose shape the graph fixes lives in two sets of buffers that change places with each step, so that nothing is
 * allocated or copied; state with a named size (`[cached, 64]`) may grow.
 *
 * @throws what {@link compile} throws; `OPTION_INVALID` or `INPUT_INVALID` where the state names what the graph does not have,
 *   `DTYPE_MISMATCH` or `SHAPE_MISMATCH` where an output cannot be the input's next value
 */
export const compileStateful = lazily(async () => (await import('./stateful.ts')).compileStateful)

/**
 * Opens a session that an earlier one, compiled with `persist`, has left: without its graph, and without the time that reading
 * and building it takes.
 *
 * @example
 * ```ts
 * const { kept } = await compile(graph, { persist: true })
 * const found = await reopen(kept)             // in another process, weeks later
 * const session = await found?.opening
 * ```
 *
 * @returns the session, which a worker is making already: other work may be done meanwhile; undefined when there is nothing any
 *   more to make it from
 */
export const reopen = lazily(async () => (await import('./compile.ts')).reopen)

/**
 * Tells which operators of a graph a device runs, and which it leaves to the CPU, by running it once.
 *
 * @example
 * ```ts
 * await placement(graph, feeds, { device: 'webgpu' })   // { device: 'webgpu', operators: 103, onCpu: { Gather: 2 } }
 * ```
 *
 * @throws what {@link compile} and a run throw
 */
export const placement = lazily(async () => (await import('./placement.ts')).placement)

/**
 * Runs a graph once, in place; for passes that must compute.
 *
 * @example
 * ```ts
 * const folded = await fold(graph, evaluate)
 * ```
 *
 * @throws what {@link compile} and a run throw
 */
export const evaluate = lazily(async () => (await import('./evaluate.ts')).evaluate)

/**
 * Keeps what a pass computes from weights in a file that this and every later process maps.
 *
 * @example
 * ```ts
 * const small = await quantize(graph, { place: keepDerived() })
 * ```
 *
 * @remarks
 * The file is found again by the weights' own files and the recipes: nothing is computed a second time. Where no folder can
 * be written, the tensors are in memory.
 *
 * @param cacheDir as in {@link CompileOptions}
 */
export function keepDerived(cacheDir: string = cacheFolder()): Place {
  return async (derived) => (await import('./cache.ts')).derivedFile(derived, cacheDir)
}
