import { availableParallelism } from 'node:os'
import type { Graph } from '../graph/index.ts'
import { PipiloError } from '../tensor/index.ts'
import { defaultCacheDir } from './cacheFolder.ts'
import { checkFeeds, checkOutputs } from './feeds.ts'
import { InPlace } from './in-place.ts'
import { aborted, Pool } from './pool.ts'
import { addressOf, dropPrepared, findPrepared, keepPrepared, type Prepared, placeFor } from './prepared.ts'
import type { CompileOptions, Session } from './types.ts'

/**
 * How many workers and threads a session gets when its options do not say.
 *
 * ```ts
 * defaults() // { workers: 2, threads: 1 } on two processors
 * ```
 *
 * 512 sentences through MiniLM on two processors: 2 × 1 and 1 × 2 are equally fast alone (644 and 632 sentences a second),
 * but beside other programs 2 × 1 keeps more (319 against 189), since its threads never wait for each other
 * (`bench/runtime/workers.ts`). A further worker takes about 130 MB for MiniLM, so there are at most four. With
 * `{ workers: 1, threads: 2 }` a single sentence of 32 tokens takes 2.5 ms instead of 4.4, and memory is less.
 */
export function defaults(): { workers: number; threads: number } {
  const processors = availableParallelism()
  const workers = Math.min(processors, 4)
  return { workers, threads: Math.max(1, Math.floor(processors / workers)) }
}

/**
 * Turns a graph into a session that runs it.
 *
 * ```ts
 * const session = await compile(graph)
 * const { embedding } = await session.run({ input_ids, attention_mask })
 * await session.dispose()
 * ```
 *
 * The session lives on worker threads, so that the caller's event loop stays free; the first is there when this
 * returns, further ones come when calls wait. Weights are mapped from the file they lie in; float16 and bfloat16 ones are
 * converted once, into a file below `cacheDir`.
 *
 * @throws `GRAPH_INVALID` or `OPERATOR_UNSUPPORTED` when ONNX Runtime refuses the graph, `OPTION_INVALID`,
 *   `WRITE_FAILED` when large weights need a file and none can be written, `WORKER_CRASHED`
 */
export async function compile(graph: Graph, options: CompileOptions = {}): Promise<Session> {
  const { workers, threads } = counts(options)
  // Loaded when it is needed: a session that is opened again needs nothing of it.
  const { planOf } = await import('./plan.ts')
  const standard = await planOf(graph, threads, options)
  const optional = graph.inputs.map(({ name }) => name).filter((name) => graph.initializers.has(name))
  const ports = { inputs: graph.inputs, outputs: graph.outputs, optional }
  if (!options.persist) return openSession({ ...ports, plan: standard.plan }, workers)

  const cacheDir = options.cacheDir ?? defaultCacheDir()
  const address = await addressOf(standard.plan, standard.files)
  const found = await findPrepared(cacheDir, address, threads)
  if (found) return openSession(found, workers, address)
  const prepare = await placeFor(cacheDir, address)
  if (!prepare) return openSession({ ...ports, plan: standard.plan }, workers)
  try {
    const session = await openSession({ ...ports, plan: { ...standard.plan, prepare } }, workers, address)
    await keepPrepared(cacheDir, address, prepare, ports)
    return session
  } catch {
    // The disk may have filled up. Whatever else it was shows again.
    await dropPrepared(prepare)
    return openSession({ ...ports, plan: standard.plan }, workers)
  }
}

/**
 * Opens a session that an earlier one, compiled with `persist`, has left: without its graph, and without the time that reading
 * and building it takes.
 *
 * ```ts
 * const { prepared } = await compile(graph, { persist: true })
 * const session = await reopen(prepared)       // in another process, weeks later
 * ```
 *
 * @returns undefined when it is not there any more
 */
export async function reopen(
  prepared: string,
  options: Omit<CompileOptions, 'persist' | 'lower'> = {},
): Promise<Session | undefined> {
  const { workers, threads } = counts(options)
  const found = await findPrepared(options.cacheDir ?? defaultCacheDir(), prepared, threads)
  return found && openSession(found, workers, prepared)
}

async function openSession(
  { plan, inputs, outputs, optional }: Prepared,
  workers: number,
  prepared?: string,
): Promise<Session> {
  const runner = workers === 0 ? await InPlace.open(plan) : await Pool.open(plan, workers)
  const names = outputs.map((output) => output.name)
  const defaulted = new Set(optional)
  let disposed: Promise<void> | undefined
  return {
    inputs,
    outputs,
    concurrency: Math.max(1, workers),
    ...(prepared && { prepared }),
    async run(feeds, fetched = names, { signal } = {}) {
      if (disposed)
        throw new PipiloError('DISPOSED', 'The session has been disposed.', {
          hint: 'Compile the graph again.',
        })
      if (signal?.aborted) throw aborted(signal)
      checkFeeds(inputs, feeds, defaulted)
      checkOutputs(outputs, fetched)
      return runner.run(feeds, fetched, signal)
    },
    dispose() {
      disposed ??= runner.close()
      return disposed
    },
  }
}

function counts(options: CompileOptions): { workers: number; threads: number } {
  const standard = defaults()
  const workers = count('workers', options.workers ?? standard.workers, 0)
  return { workers, threads: count('threads', options.threads ?? threadsFor(workers, standard), 1) }
}

function threadsFor(workers: number, standard: { workers: number; threads: number }): number {
  return Math.max(1, Math.floor((standard.workers * standard.threads) / Math.max(1, workers)))
}

function count(name: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new PipiloError('OPTION_INVALID', `${name} is ${value}; it has to be an integer from ${least}.`, {
    input: name,
  })
}
