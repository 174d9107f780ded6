// One ONNX Runtime session on the calling thread. Used inside a worker and, with `workers: 0`, in place.
//
// Imported by worker.ts: it must lean on nothing but the runtime's package, so that a worker starts quickly.
import { createRequire } from 'node:module'
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node'
import type { DType, Tensor, TypedArray } from '../../tensor/index.ts'
import type { Device } from '../types.ts'
import { withoutTelemetry } from './telemetry.ts'

/** Description of a session as plain data that can be posted to a worker. */
export interface Plan {
  /** The ONNX file's bytes; large weights are external. */
  readonly model: Uint8Array
  /** The folder of the external weights. */
  readonly folder?: string
  /** Threads inside one operator. */
  readonly threads: number
  /** Device on which it runs, if not the CPU. */
  readonly device?: Exclude<Device, 'cpu'>
  /** Run in a child process, which may take so many bytes of memory. */
  readonly isolate?: number | undefined
  /** Prefix of the profile's file. */
  readonly profile?: string
  /** Write the optimised graph and its packed weights: the graph's path, and the name of the weights' file beside it. */
  readonly writeTo?: { readonly model: string; readonly weights: string } | undefined
  /** The model is what `writeTo` wrote: nothing is left to optimise. */
  readonly kept?: boolean
  /** Run the graph as it stands, on weights as they lie in their files: there in a twentieth of the time, and slower. */
  readonly early?: boolean
  /** All inputs have the same shapes in each run. */
  readonly fixed?: boolean
  /** Name of an output, the first, that the package cannot hand over: see {@link withoutCopies}. */
  readonly unreadable?: string
}

/** Tensors of several runs that are the caller's for good: their data and shapes do not change, nor does this object. */
export interface Standing {
  /** Further feeds. */
  readonly held: ReadonlyMap<string, Tensor>
  /** Arrays that some of the outputs are written into. */
  readonly into: Readonly<Record<string, Tensor>>
}

/** A session ready to run. */
export interface Engine {
  /**
   * @param standing further feeds and places of results, which are not among the results
   * @param places arrays of this run alone that outputs are written into; not among the results either. Where every output that is asked
   *   for has its place, nothing is copied
   */
  run(
    feeds: Readonly<Record<string, Tensor>>,
    outputs: readonly string[],
    standing?: Standing,
    places?: Readonly<Record<string, Tensor>>,
  ): Promise<Record<string, Tensor>>
  close(): Promise<void>
}

/** A {@link Standing} in the library's own tensors. */
interface Prepared {
  readonly feeds: Readonly<Record<string, OrtTensor>>
  readonly fetches: Readonly<Record<string, OrtTensor>>
  readonly marked: Uint32Array | undefined
}

const NOTHING: Prepared = { feeds: {}, fetches: {}, marked: undefined }

/** Loads the native library (some 30 ms in a cold process) without making a session. */
export async function loadRuntime(): Promise<typeof import('onnxruntime-node')> {
  withoutTelemetry()
  // Required, not imported: Node reads all of a CommonJS package twice to find what it exports for an import.
  const runtime = createRequire(import.meta.url)('onnxruntime-node') as typeof import('onnxruntime-node')
  // Every failure arrives as an exception; without this the library also prints it to the user's terminal.
  runtime.env.logLevel = 'fatal'
  return runtime
}

/** Devices by the library's names. */
export const providers = { webgpu: 'webgpu', cuda: 'cuda', coreml: 'coreml', directml: 'dml' } as const

// A graph of one node, Neg, over one number: what the builder makes of `op.neg(b.input('x', 'float32', [1]))`.
const SMALLEST =
  'CAgSBnBpcGlsbzo3ChAKAXgSAXkaA05lZyIDTmVnEgFnWg8KAXgSCgoICAESBAoCCAFiDwoBeRIKCggIARIECgIIAUICEBE='

/**
 * Loads the native library and makes a session of the smallest graph: the first session of a process takes some 18 ms
 * more than any other, whatever its graph.
 */
export async function primeRuntime(): Promise<void> {
  await smallestSession()
}

/** Makes a session of the smallest graph, and ends it. Throws ONNX Runtime's own error where there is no such device. */
export async function smallestSession(device?: Exclude<Device, 'cpu'>): Promise<void> {
  const { InferenceSession } = await loadRuntime()
  const plan: Plan = { model: Buffer.from(SMALLEST, 'base64'), threads: 1, ...(device && { device }) }
  const session = await created(plan, InferenceSession.create)
  await session.release()
}

/** Makes a session. Throws ONNX Runtime's own error, see {@link creationError}. */
export async function openEngine(plan: Plan): Promise<Engine> {
  const { InferenceSession, Tensor: Native } = await loadRuntime()
  const session = await created(plan, InferenceSession.create)
  const { unreadable } = plan
  let isCopyFree = unreadable !== undefined
  const wrap = (tensor: Tensor) => toNative(Native, tensor)
  // Wrapped once: a state of many small tensors takes longer to wrap than to compute with.
  const prepared = new WeakMap<Standing, Prepared>()
  const prepare = (standing: Standing): Prepared => {
    const known = prepared.get(standing)
    if (known) return known
    const { held, into } = standing
    const made = {
      feeds: Object.fromEntries([...held].map(([name, tensor]) => [name, wrap(tensor)])),
      fetches: Object.fromEntries(Object.entries(into).map(([name, tensor]) => [name, wrap(tensor)])),
      marked: smallest(into),
    }
    prepared.set(standing, made)
    return made
  }
  return {
    async run(feeds, outputs, standing, places = {}) {
      const { feeds: held, fetches: into, marked } = standing ? prepare(standing) : NOTHING
      const native = { ...held }
      for (const name of Object.keys(feeds)) native[name] = wrap(feeds[name]!)
      if (!standing) return toTensors(await session.run(native, outputs))
      const fetches: Record<string, OrtTensor | null> = { ...into }
      for (const name of Object.keys(places)) fetches[name] = wrap(places[name]!)
      const isPlaced = outputs.every((name) => name in fetches)
      if (isCopyFree && isPlaced) {
        fetches[unreadable!] = null
        if (await withoutCopies(session, native, fetches, marked ?? smallest(places))) return {}
        delete fetches[unreadable!]
      }
      const asked = outputs.filter((name) => !(name in fetches))
      for (const name of asked) fetches[name] = null
      const results = await session.run(native, fetches)
      // It runs, and not without copies.
      if (isPlaced) isCopyFree = false
      return toTensors(Object.fromEntries(asked.map((name) => [name, results[name]!])))
    },
    async close() {
      if (plan.profile) session.endProfiling()
      await session.release()
    },
  }
}

/** The package's words for a value that is no tensor. */
const UNREADABLE = 'Non tensor type is temporarily not supported.'

/**
 * A run of which all results are written into arrays. The package hands out a copy of every output, given arrays too: for a step of MiniLM
 * with AdamW 270 MB, zeroed and copied, a quarter of its time. Its first output is a sequence, at which the package (1.30) gives up
 * once the graph has run and before it copies.
 *
 * @param marked an array that the run writes into
 * @returns false when that is not what happened: another version may give up before it runs, and the arrays hold old numbers. A
 *   mark in one of them tells
 */
async function withoutCopies(
  session: InferenceSession,
  feeds: Readonly<Record<string, OrtTensor>>,
  fetches: Readonly<Record<string, OrtTensor | null>>,
  marked: Uint32Array | undefined,
): Promise<boolean> {
  if (!marked) return false
  marked[0] = MARK
  try {
    await handlerOf(session).run(feeds, fetches, {})
  } catch (error) {
    if (!(error instanceof Error && error.message.includes(UNREADABLE))) return false
  }
  return marked[0] !== MARK
}

/** Bits of a number that no computation gives: a NaN with a payload of its own. */
const MARK = 0x7fc5_a3e1

/** The bits of the smallest array of 32-bit floats. */
function smallest(tensors: Readonly<Record<string, Tensor>>): Uint32Array | undefined {
  let found: Float32Array | undefined
  for (const { data } of Object.values(tensors)) {
    if (!(data instanceof Float32Array) || data.length === 0) continue
    if (!found || data.length < found.length) found = data
  }
  return found && new Uint32Array(found.buffer, found.byteOffset, 1)
}

interface Runs {
  run(
    feeds: Readonly<Record<string, OrtTensor>>,
    fetches: Readonly<Record<string, OrtTensor | null>>,
    options: object,
  ): Promise<unknown>
}

/** The part of a session that runs, without the checks of names around it, whose time grows with their square: they are known by now. */
function handlerOf(session: InferenceSession): Runs {
  const { handler } = session as { readonly handler?: Partial<Runs> }
  return typeof handler?.run === 'function' ? (handler as Runs) : (session as Runs)
}

// Weights are prepacked, the library's default. Without it (`session.disable_prepacking`) MiniLM's session is made in 25 ms
// instead of 55 and takes 42 MB less of private memory, but one sentence of 32 tokens takes 6.0 ms instead of 4.1, and
// 16 of them 49.7 instead of 47.3. All optimisations are on as well: making a session takes as long with none.
/** The session. Of a graph whose nodes share weights in bytes the library makes none with unsigned weights: there, sums may saturate on such processors. */
async function created(plan: Plan, create: typeof InferenceSession.create): Promise<InferenceSession> {
  const options = sessionOptions(plan)
  try {
    return await create(plan.model as Uint8Array, options)
  } catch (error) {
    if (!String(error).includes('AddInitializerWithOrtValue')) throw error
    const session = { ...(options.extra!['session'] as Record<string, string>), x64quantprecision: '0' }
    return create(plan.model as Uint8Array, { ...options, extra: { ...options.extra, session } })
  }
}

function sessionOptions(plan: Plan): InferenceSession.SessionOptions {
  // Sums of two products of bytes saturate in 16 bits on processors without integer dot products (AVX2, early AVX-512). With this the library
  // takes unsigned weights there, whose products do not. Elsewhere it changes nothing.
  const session: Record<string, string> = { x64quantprecision: '1' }
  if (plan.folder !== undefined) session.model_external_initializers_file_folder_path = plan.folder
  if (plan.writeTo) {
    session.optimized_model_external_initializers_file_name = plan.writeTo.weights
    session.optimized_model_external_initializers_min_size_in_bytes = '1024'
    session.save_external_prepacked_constant_initializers = '1'
  }
  if (plan.early) session.disable_prepacking = '1'
  return {
    // One alone: of several, the package leaves out in silence what it does not have. The CPU is always there for the rest.
    executionProviders: [plan.device ? providers[plan.device] : 'cpu'],
    executionMode: 'sequential',
    interOpNumThreads: 1,
    // Plans of memory are kept for each shape that occurs: without them 400 batches of random lengths settle at 79 MB of
    // private memory instead of 85 and growing, at the same speed. Without the arena it swings between 94 and 157 MB.
    // Where shapes are fixed there is one plan: a small autoencoder's training step takes 1 to 3 % less time with it.
    enableMemPattern: plan.fixed === true,
    intraOpNumThreads: plan.threads,
    logSeverityLevel: 4,
    extra: {
      session,
      // On the CPU that operator takes five times as long as the Add and LayerNormalization it replaces: MiniLM with
      // 16 × 32 tokens on one thread ran at 196 GFLOP/s with it, at 229 without (`bench/runtime/profile.ts`).
      ...(!plan.device && { optimization: { disable_specified_optimizers: 'SkipLayerNormFusion' } }),
    },
    ...(plan.writeTo && { optimizedModelFilePath: plan.writeTo.model }),
    ...((plan.kept || plan.early) && { graphOptimizationLevel: 'disabled' }),
    ...(plan.profile && { enableProfiling: true, profileFilePrefix: plan.profile }),
  }
}

function toNative(Native: typeof OrtTensor, { dtype, shape, data }: Tensor): OrtTensor {
  // Given float16, the constructor makes a Float16Array where there is one (Node 24), in which the library finds no data.
  if (dtype === 'float16')
    return Object.assign(new Native('uint16', data as Uint16Array, shape), { type: 'float16' })
  // The runtime's own spelling of dtypes is ours; it knows fewer of them and says so.
  return new Native(dtype as 'float32', data as Float32Array, shape)
}

function toTensors(results: Readonly<Record<string, OrtTensor>>): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, toTensor(tensor)]))
}

function toTensor(tensor: OrtTensor): Tensor {
  const dtype = tensor.type as DType
  let data = tensor.data as Tensor['data']
  // Node 24 has a Float16Array, which the runtime then uses; our float16 is bit patterns.
  if (dtype === 'float16' && !(data instanceof Uint16Array)) {
    const { buffer, byteOffset, length } = data as unknown as Uint16Array
    data = new Uint16Array(buffer, byteOffset, length)
  }
  return { dtype, shape: tensor.dims, data: data as TypedArray }
}
