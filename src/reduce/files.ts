// Reducers as safetensors files: their numbers, and what they are as JSON in the metadata.
import { PipiloError, parseJson } from '../base/index.ts'
import { loadTensor } from '../graph/index.ts'
import { readSafetensors, writeSafetensors } from '../models/index.ts'
import type { Tensor } from '../tensor/index.ts'
import type { Dense } from './dense.ts'
import type { ReducerKind } from './types.ts'

/** Numbers by name: doubles, or tensors as they are. */
export type Numbers = Readonly<Record<string, Dense | Float64Array | Tensor>>

const KEY = 'pipilo.reducer'
const VERSION = 1

/** Writes a reducer. @throws PipiloError `WRITE_FAILED` */
export async function writeReducer(
  path: string,
  kind: ReducerKind | 'quantized',
  numbers: Numbers,
  settings: Readonly<Record<string, unknown>>,
): Promise<void> {
  const tensors = Object.entries(numbers).map(([name, value]) => [name, tensorOf(value)] as const)
  const metadata = new Map([[KEY, JSON.stringify({ version: VERSION, kind, ...settings })]])
  await writeSafetensors(path, new Map(tensors), metadata)
}

function tensorOf(value: Dense | Float64Array | Tensor): Tensor {
  if (value instanceof Float64Array) return { dtype: 'float64', shape: [value.length], data: value }
  if ('dtype' in value) return value
  // A matrix may share the memory of a larger one.
  return { dtype: 'float64', shape: [value.rows, value.columns], data: value.data.slice() }
}

/** Numbers and facts of a saved reducer, checked as they are asked for. */
export class SavedReducer {
  readonly path: string
  readonly kind: string
  readonly #settings: Record<string, unknown>
  readonly #tensors: ReadonlyMap<string, Tensor>

  constructor(path: string, settings: Record<string, unknown>, tensors: ReadonlyMap<string, Tensor>) {
    this.path = path
    this.kind = String(settings.kind)
    this.#settings = settings
    this.#tensors = tensors
  }

  has(name: string): boolean {
    return this.#tensors.has(name)
  }

  tensor(name: string, dtype: Tensor['dtype'], rank: number): Tensor {
    const found = this.#tensors.get(name)
    if (found?.dtype === dtype && found.shape.length === rank) {
      const { data } = found
      const isFloat = data instanceof Float64Array || data instanceof Float32Array
      if (!isFloat || data.every(Number.isFinite)) return found
      throw this.#invalid(`has numbers in '${name}' that are not finite`)
    }
    throw this.#invalid(`has no ${dtype} tensor '${name}' of ${rank} axes`)
  }

  vector(name: string, length?: number): Float64Array {
    const { data } = this.tensor(name, 'float64', 1)
    const numbers = data as Float64Array
    if (length === undefined || numbers.length === length) return numbers
    throw this.#invalid(`has ${numbers.length} numbers in '${name}', not ${length}`)
  }

  matrix(name: string, rows?: number, columns?: number): Dense {
    const { shape, data } = this.tensor(name, 'float64', 2)
    const found = { rows: shape[0]!, columns: shape[1]!, data: data as Float64Array }
    if ((rows ?? found.rows) === found.rows && (columns ?? found.columns) === found.columns) return found
    throw this.#invalid(`has a matrix '${name}' of ${found.rows} × ${found.columns}, which does not fit`)
  }

  number(name: string): number {
    const value = this.#settings[name]
    if (typeof value === 'number' && Number.isFinite(value)) return value
    throw this.#invalid(`does not say its ${name}`)
  }

  text<T extends string>(name: string, known: readonly T[]): T {
    const value = known.find((one) => one === this.#settings[name])
    if (value !== undefined) return value
    throw this.#invalid(`says that its ${name} is ${JSON.stringify(this.#settings[name])}`)
  }

  /** Anything else; the caller checks it. */
  value(name: string): unknown {
    return this.#settings[name]
  }

  #invalid(complaint: string): PipiloError {
    return invalid(this.path, complaint)
  }
}

/** Reads what {@link writeReducer} wrote. @throws PipiloError `FORMAT_INVALID`, `FILE_NOT_FOUND` */
export async function readReducer(path: string): Promise<SavedReducer> {
  const { tensors, metadata } = await readSafetensors(path)
  let settings: unknown
  try {
    settings = parseJson(metadata.get(KEY) ?? '')
  } catch (cause) {
    throw invalid(path, 'holds no reducer', cause)
  }
  if (typeof settings !== 'object' || settings === null) throw invalid(path, 'holds no reducer')
  const { version } = settings as { version?: unknown }
  if (version !== VERSION) {
    throw new PipiloError(
      'FORMAT_UNSUPPORTED',
      `The reducer ${path} is of version ${String(version)}; ${VERSION} is known.`,
      {
        input: path,
      },
    )
  }
  const entries = await Promise.all(
    [...tensors].map(async ([name, tensor]) => [name, await loadTensor(tensor)] as const),
  )
  return new SavedReducer(path, settings as Record<string, unknown>, new Map(entries))
}

function invalid(path: string, complaint: string, cause?: unknown): PipiloError {
  return new PipiloError('FORMAT_INVALID', `The file ${path} ${complaint}.`, {
    input: path,
    hint: 'Fit the reducer again, and save it.',
    cause,
  })
}
