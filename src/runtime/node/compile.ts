// Compiles graphs to sessions, on worker threads or on the calling one, and keeps what the library made of them.
import { cacheFolder } from '../../base/files/index.ts'
import { abortError, checkOptions, PipiloError } from '../../base/index.ts'
import type { Graph } from '../../graph/index.ts'
import { elementCount } from '../../tensor/index.ts'
import { compileOptionTypes } from '../compileOptions.ts'
import type { CompileOptions, Device, Session } from '../types.ts'
import { counts, memoryOf } from './counts.ts'
import { checkDevice } from './device.ts'
import type { Plan } from './engine.ts'
import { messageOf } from './failures.ts'
import { checkFeeds, checkOutputs } from './feeds.ts'
import { InPlace } from './inPlace.ts'
import {
  addressOf,
  dropWritten,
  findKept,
  keepWritten,
  placeToWrite,
  type SessionPlan,
} from './keptSession.ts'
import { ABORTED, Pool } from './pool.ts'

/** See `compile` in onDemand.ts. */
export async function compile(graph: Graph, options: CompileOptions = {}): Promise<Session> {
  checkOptions<CompileOptions>('compile', options, compileOptionTypes)
  const device = checkDevice(options.device ?? 'cpu')
  if (device !== 'cpu') {
    if (options.isolate) {
      throw new PipiloError('OPTION_INVALID', `isolate is for the CPU, not for ${device}.`, {
        input: 'isolate',
        hint: 'Leave out one of the two.',
      })
    }
    return compileElsewhere(graph, device, options)
  }
  const { workers, threads } = counts(
    isLarge(graph) ? { ...options, workers: options.workers ?? 1 } : options,
  )
  // Loaded when it is needed: a session that is opened again needs nothing of it.
  const { packedBytes, planOf } = await import('./plan.ts')
  const { plan, files } = await planOf(graph, threads, options)
  const optional = graph.inputs.map(({ name }) => name).filter((name) => graph.initializers.has(name))
  const compiled: SessionPlan = { inputs: graph.inputs, outputs: graph.outputs, optional, plan }
  const early = workers > 0 && !options.profile && (options.early ?? packedBytes(graph) >= MUCH)
  const { signal } = options
  if (signal?.aborted) throw abortError(signal, ABORTED)
  if (!options.persist) return openSession(compiled, workers, { early, signal })

  const cacheDir = options.cacheDir ?? cacheFolder()
  const address = await addressOf(plan, files)
  const found = await findKept(cacheDir, address, threads)
  if (found) {
    const plan = { ...found.plan, isolate: memoryOf(options.isolate) }
    return openSession({ ...found, plan }, workers, { address, signal })
  }
  const writeTo = await placeToWrite(cacheDir, address)
  if (!writeTo) return openSession(compiled, workers, { early, signal })
  try {
    return await openSession({ ...compiled, plan: { ...plan, writeTo } }, workers, {
      early,
      address,
      signal,
      keep: (optimised) =>
        optimised ? keepWritten(cacheDir, address, writeTo, compiled) : dropWritten(writeTo),
    })
  } catch {
    // The disk may have filled up: tried again without keeping the session. Any other error comes again then.
    await dropWritten(writeTo)
    if (signal?.aborted) throw abortError(signal, ABORTED)
    return openSession(compiled, workers, { early, signal })
  }
}

async function compileElsewhere(graph: Graph, device: Device, options: CompileOptions): Promise<Session> {
  if (options.half !== true) return openElsewhere(graph, graph, device, options)
  const { withoutHalf } = await import('./half.ts')
  let halfRefused = await withoutHalf(device, (probe) => openElsewhere(probe, probe, device, options))
  if (halfRefused === '') {
    const { inHalf } = await import('../../graph/index.ts')
    const { derivedFile } = await import('./cache.ts')
    const cacheDir = options.cacheDir ?? cacheFolder()
    const halved = await inHalf(graph, { place: (derived) => derivedFile(derived, cacheDir) })
    try {
      return await openElsewhere(halved, graph, device, options)
    } catch (error) {
      halfRefused = messageOf(error)
    }
  }
  return { ...(await openElsewhere(graph, graph, device, options)), halfRefused }
}

/**
 * On a device nothing is kept, and nothing is early; the graph stays at hand until the device has proved itself.
 *
 * @param graph the graph as it runs
 * @param original the graph that its numbers have to agree with
 */
async function openElsewhere(
  graph: Graph,
  original: Graph,
  device: Device,
  options: CompileOptions,
): Promise<Session> {
  const { workers, threads } = counts(options)
  const { planOf } = await import('./plan.ts')
  const { plan, files } = await planOf(graph, threads, options)
  const optional = graph.inputs.map(({ name }) => name).filter((name) => graph.initializers.has(name))
  const session = await openSession(
    { inputs: graph.inputs, outputs: graph.outputs, optional, plan },
    workers,
    {},
  )
  return {
    ...session,
    device,
    ...(graph !== original && { half: true }),
    async prove(feeds, proof = {}) {
      const { prove } = await import('./prove.ts')
      const address = await addressOf(plan, files)
      const onCpu = () =>
        compile(original, { ...options, device: 'cpu', workers: 1, persist: false, early: false })
      await prove({ session, device, address, graph, onCpu, cacheDir: options.cacheDir }, feeds, proof)
    },
  }
}

/** See `reopen` in onDemand.ts. However large it is: workers share the packed weights that were kept. */
export async function reopen(
  kept: string,
  options: Omit<CompileOptions, 'persist' | 'lower' | 'early' | 'device' | 'half'> = {},
): Promise<{ opening: Promise<Session> } | undefined> {
  const { workers, threads } = counts(options)
  const found = await findKept(options.cacheDir ?? cacheFolder(), kept, threads)
  if (!found) return undefined
  const plan = { ...found.plan, isolate: memoryOf(options.isolate) }
  return { opening: openSession({ ...found, plan }, workers, { address: kept, signal: options.signal }) }
}

interface Opening {
  /** True if the session is there before it is optimised. */
  readonly early?: boolean
  /** Address of the kept form, there or to come. */
  readonly address?: string
  readonly signal?: AbortSignal | undefined
  /** Called when the session has been optimised, or could not be. */
  readonly keep?: (optimised: boolean) => Promise<void>
}

async function openSession(
  { plan, inputs, outputs, optional }: SessionPlan,
  workers: number,
  { early = false, address, keep, signal }: Opening,
): Promise<Session> {
  const { runner, optimised } = await openRunner(plan, workers, early, signal)
  const kept = optimised.then(keep)
  if (!early) await kept
  const names = outputs.map((output) => output.name)
  const defaulted = new Set(optional)
  let disposed: Promise<void> | undefined
  return {
    inputs,
    outputs,
    device: 'cpu',
    concurrency: Math.max(1, workers),
    ...(address && { kept: address }),
    async run(feeds, fetched = names, { signal } = {}) {
      if (disposed)
        throw new PipiloError('DISPOSED', 'The session has been disposed.', {
          hint: 'Compile the graph again.',
        })
      if (signal?.aborted) throw abortError(signal, ABORTED)
      checkFeeds(inputs, feeds, defaulted)
      checkOutputs(outputs, fetched)
      return runner.run(feeds, fetched, signal)
    },
    async prove() {},
    dispose() {
      disposed ??= runner.close().then(() => kept)
      return disposed
    },
  }
}

async function openRunner(
  plan: Plan,
  workers: number,
  early: boolean,
  signal: AbortSignal | undefined,
): Promise<{ runner: InPlace | Pool; optimised: Promise<boolean> }> {
  if (early) return Pool.openEarly(plan, workers, signal)
  const runner = workers === 0 ? await InPlace.open(plan) : await Pool.open(plan, workers, signal)
  return { runner, optimised: Promise.resolve(true) }
}

/**
 * Bytes of weights in float32 beyond which one worker with all threads is the default: each further one would hold packed
 * weights of its own, 4.2 GB for 1.1 G parameters (`bench/large.ts`), and long products use threads well.
 */
const LARGE = 2 ** 30

/**
 * Bytes of weights to be packed from which on a session is there before it is optimised: packing ResNet-50's 94 MB takes a
 * quarter of a second, MiniLM's 43 MB 30 ms.
 */
const MUCH = 2 ** 26

function isLarge({ initializers }: Graph): boolean {
  let elements = 0
  for (const { shape } of initializers.values()) elements += elementCount(shape)
  return 4 * elements > LARGE
}
