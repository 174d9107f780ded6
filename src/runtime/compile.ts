import { availableParallelism } from 'node:os'
import { dirname, resolve } from 'node:path'
import { encodeOnnx, type Graph } from '../graph/index.ts'
import { PipiloError } from '../tensor/index.ts'
import { defaultCacheDir } from './cache.ts'
import type { Plan } from './engine.ts'
import { checkFeeds, checkOutputs } from './feeds.ts'
import { InPlace } from './in-place.ts'
import { lower } from './lower/index.ts'
import { isFileTensor } from './piece.ts'
import { aborted, Pool } from './pool.ts'
import type { CompileOptions, Session } from './types.ts'
import { placeWeights } from './weights.ts'

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
  const standard = defaults()
  const workers = count('workers', options.workers ?? standard.workers, 0)
  const threads = count('threads', options.threads ?? threadsFor(workers, standard), 1)
  const plan = await planOf(graph, threads, options)
  const runner = workers === 0 ? await InPlace.open(plan) : await Pool.open(plan, workers)
  const { inputs, outputs, initializers } = graph
  const names = outputs.map((output) => output.name)
  let disposed: Promise<void> | undefined
  return {
    inputs,
    outputs,
    concurrency: Math.max(1, workers),
    async run(feeds, fetched = names, { signal } = {}) {
      if (disposed)
        throw new PipiloError('DISPOSED', 'The session has been disposed.', {
          hint: 'Compile the graph again.',
        })
      if (signal?.aborted) throw aborted(signal)
      checkFeeds(inputs, feeds, initializers)
      checkOutputs(outputs, fetched)
      return runner.run(feeds, fetched, signal)
    },
    dispose() {
      disposed ??= runner.close()
      return disposed
    },
  }
}

/** What a session of the graph is opened from. */
async function planOf(graph: Graph, threads: number, options: CompileOptions): Promise<Plan> {
  const lowered = options.lower === false ? { graph, halves: new Set<string>() } : lower(graph)
  const { graph: placed, folder } = await placeWeights(
    lowered,
    resolve(options.cacheDir ?? defaultCacheDir()),
  )
  const model = encodeOnnx(placed, {
    external: (_, tensor) => {
      if (!isFileTensor(tensor) || dirname(tensor.file.path) !== folder) return undefined
      const { path, offset, length } = tensor.file
      return { location: path.slice(folder.length).replace(/^[\\/]/, ''), offset, length }
    },
  })
  return { model, threads, ...(folder && { folder }), ...(options.profile && { profile: options.profile }) }
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
