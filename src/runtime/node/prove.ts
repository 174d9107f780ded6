// One input through a device and the CPU, compared: the known disease of GPU backends is a wrong answer in silence.
import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { release } from 'node:os'
import { join } from 'node:path'
import { PipiloError } from '../../base/index.ts'
import type { Graph } from '../../graph/index.ts'
import { bfloat16ToFloat32, float16ToFloat32, type Tensor } from '../../tensor/index.ts'
import type { Device, Session } from '../types.ts'
import { readNote, writeNote } from './notes.ts'

/** A session on a device, and what it has to agree with. */
interface Proof {
  readonly session: Pick<Session, 'run'>
  readonly device: Device
  /** Tells graph, weights and version of the library. */
  readonly address: string
  readonly graph: Graph
  readonly onCpu: () => Promise<Session>
  readonly cacheDir: string | undefined
}

/** How far a device may be from the CPU. */
export interface Bound {
  /** Least cosine of an output, and of each of its rows along the last axis. */
  readonly cosine: number
  /** Largest difference of two elements, as a part of the largest absolute value of the output. */
  readonly difference: number
}

/** Sums in another order in float32 differ by some 1e-6; halves and integer products by a thousand times that. */
const EXACT: Bound = { cosine: 0.9999, difference: 0.01 }
const COARSE: Bound = { cosine: 0.99, difference: 0.1 }

/** See `Session.prove`. */
export async function prove(
  { session, device, address, graph, onCpu, cacheDir }: Proof,
  feeds: Readonly<Record<string, Tensor>>,
  { recheck = false }: { readonly recheck?: boolean },
): Promise<void> {
  const key = createHash('sha256')
    .update(`${address} ${device} ${await driver()}`)
    .digest('hex')
  if (!recheck && (await readNote(key, cacheDir)) !== undefined) return
  const got = await session.run(copied(feeds))
  const exact = await onCpu()
  try {
    const bound = boundOf(graph)
    const found = compareAll(await exact.run(copied(feeds)), got, bound)
    if (found.wrong !== undefined) {
      throw new PipiloError(
        'DEVICE_WRONG',
        `On ${device} the output "${found.wrong.output}" is not the CPU's: ${found.wrong.why}.`,
        { input: device, hint: 'Leave out device, or try another dtype; newer drivers may be right.' },
      )
    }
    await writeNote(key, { device, cosine: found.cosine, difference: found.difference }, cacheDir)
  } finally {
    await exact.dispose()
  }
}

/** The bound for a graph: the exact one where all of its weights that are numbers with a fraction are float32. */
export function boundOf({ initializers, inputs, outputs, nodes }: Graph): Bound {
  const coarse = /^(b?float16|float8|float4|u?int[248])/
  const weights = [...initializers.values()].some(({ dtype }) => coarse.test(dtype))
  const ports = [...inputs, ...outputs].some(
    ({ type }) => type?.kind === 'tensor' && /^b?float16/.test(type.dtype),
  )
  const quantised = nodes.some(({ op }) => /Quantize|Integer|^Q/.test(op))
  return weights || ports || quantised ? COARSE : EXACT
}

interface Comparison {
  /** The least cosine and the largest difference of all outputs. */
  readonly cosine: number
  readonly difference: number
  readonly wrong?: { readonly output: string; readonly why: string }
}

/** Compares what two runs gave. */
export function compareAll(
  expected: Readonly<Record<string, Tensor>>,
  got: Readonly<Record<string, Tensor>>,
  bound: Bound,
): Comparison {
  let [cosine, difference] = [1, 0]
  for (const [output, exact] of Object.entries(expected)) {
    const other = got[output]
    const say = (why: string) => ({ cosine, difference, wrong: { output, why } })
    if (!other || other.dtype !== exact.dtype || other.shape.join() !== exact.shape.join())
      return say(`it is ${other?.dtype} of [${other?.shape}], not ${exact.dtype} of [${exact.shape}]`)
    const [a, b] = [numbersOf(exact), numbersOf(other)]
    if (!a || !b) {
      const place = differing(exact.data, other.data)
      if (place >= 0) return say(`element ${place} is ${other.data[place]}, not ${exact.data[place]}`)
      continue
    }
    const odd = a.findIndex((value, i) => Number.isFinite(value) !== Number.isFinite(b[i]!))
    if (odd >= 0) return say(`element ${odd} is ${b[odd]}, not ${a[odd]}`)
    const largest = a.reduce((most, value) => Math.max(most, finite(value)), 0)
    const apart = a.reduce((most, value, i) => Math.max(most, finite(value - b[i]!)), 0)
    const relative = apart === 0 ? 0 : apart / largest
    difference = Math.max(difference, relative)
    if (!(relative <= bound.difference))
      return say(
        `they differ by ${relative.toPrecision(3)} of the largest value; ${bound.difference} is allowed`,
      )
    const columns = exact.shape.at(-1) ?? 1
    for (let from = 0; columns > 1 && from < a.length; from += columns) {
      const close = cosineOf(a.subarray(from, from + columns), b.subarray(from, from + columns), largest)
      cosine = Math.min(cosine, close)
      if (!(close >= bound.cosine))
        return say(`the cosine of row ${from / columns} is ${close.toFixed(5)}; ${bound.cosine} is asked for`)
    }
  }
  return { cosine, difference }
}

function finite(value: number): number {
  return Number.isFinite(value) ? Math.abs(value) : 0
}

/** 1 for rows of next to nothing beside the largest value: their direction is noise. */
function cosineOf(a: Float64Array, b: Float64Array, largest: number): number {
  let [product, lengthA, lengthB] = [0, 0, 0]
  for (const [i, x] of a.entries()) {
    const y = b[i]!
    if (!Number.isFinite(x)) continue
    product += x * y
    lengthA += x * x
    lengthB += y * y
  }
  if (Math.max(lengthA, lengthB) <= (1e-3 * largest) ** 2) return 1
  return product / Math.sqrt(lengthA * lengthB)
}

/** Floats of any width; undefined for integers, booleans and strings. */
function numbersOf({ dtype, data }: Tensor): Float64Array | undefined {
  if (data instanceof Float32Array || data instanceof Float64Array) return Float64Array.from(data)
  if (dtype === 'float16') return Float64Array.from(float16ToFloat32(data as Uint16Array))
  return dtype === 'bfloat16' ? Float64Array.from(bfloat16ToFloat32(data as Uint16Array)) : undefined
}

/** The first place where two arrays differ, or -1. */
function differing(a: Tensor['data'], b: Tensor['data']): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return i
  return -1
}

function copied(feeds: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(feeds).map(([name, { dtype, shape, data }]) => [
      name,
      { dtype, shape, data: data.slice() as Tensor['data'] },
    ]),
  )
}

/** Everything the system tells of its drivers: a device with another driver has to prove itself again. */
async function driver(): Promise<string> {
  const { VK_DRIVER_FILES, VK_ICD_FILENAMES, CUDA_VISIBLE_DEVICES } = process.env
  const parts = [process.platform, release(), VK_DRIVER_FILES, VK_ICD_FILENAMES, CUDA_VISIBLE_DEVICES]
  parts.push(await readFile('/proc/driver/nvidia/version', 'utf8').catch(() => ''))
  for (const folder of ['/usr/share/vulkan/icd.d', '/etc/vulkan/icd.d']) {
    for (const name of (await readdir(folder).catch(() => [])).sort()) {
      const { mtimeMs = 0 } = await stat(join(folder, name)).catch(() => ({ mtimeMs: 0 }))
      parts.push(`${name} ${mtimeMs}`)
    }
  }
  return JSON.stringify(parts)
}
