import type { Graph } from '../graph/index.ts'
import { elementCount, PipiloError } from '../tensor/index.ts'
import { defaultCacheDir } from './cacheFolder.ts'
import { defaults } from './defaults.ts'
import { checkFeeds, checkOutputs } from './feeds.ts'
import { InPlace } from './inPlace.ts'
import { aborted, Pool } from './pool.ts'
import { addressOf, dropPrepared, findPrepared, keepPrepared, type Prepared, placeFor } from './prepared.ts'
import type { CompileOptions, Session } from './types.ts'

/** See `compile` in onDemand.ts. */
export async function compile(graph: Graph, options: CompileOptions = {}): Promise<Session> {
  const { workers, threads } = counts(
    isLarge(graph) ? { ...options, workers: options.workers ?? 1 } : options,
  )
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

/** See `reopen` in onDemand.ts. However large it is: workers share the packed weights that were kept. */
export async function reopen(
  prepared: string,
  options: Omit<CompileOptions, 'persist' | 'lower'> = {},
): Promise<{ opening: Promise<Session> } | undefined> {
  const { workers, threads } = counts(options)
  const found = await findPrepared(options.cacheDir ?? defaultCacheDir(), prepared, threads)
  return found && { opening: openSession(found, workers, prepared) }
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

/**
 * Bytes of weights in float32 beyond which one worker with all threads is the default: each further one would hold packed
 * weights of its own, 4.2 GB for 1.1 G parameters (`bench/large.ts`), and long products use threads well.
 */
const LARGE = 2 ** 30

function isLarge({ initializers }: Graph): boolean {
  let elements = 0
  for (const { shape } of initializers.values()) elements += elementCount(shape)
  return 4 * elements > LARGE
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
