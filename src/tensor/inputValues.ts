// Values that a caller gives for inputs of a graph: checked, written down, and made tensors.

import { PipiloError } from '../base/index.ts'
import { elementCount, typedArray } from './dtypes.ts'
import { float32ToBfloat16, float32ToFloat16 } from './halves.ts'
import type { DType, Tensor } from './tensor.ts'

/** An input of a graph: its name and what it takes. */
export interface TypedInput {
  readonly name: string
  readonly type?: {
    readonly kind: string
    readonly dtype?: DType
    readonly shape?: readonly (number | string)[] | undefined
  }
}

/**
 * A number for an input of a graph, which holds it everywhere. A bigint or a decimal string is for what a number cannot hold;
 * `'zeros'` is another word for 0.
 */
export type InputValue = number | bigint | string

/**
 * Values of inputs of a graph, by their names.
 *
 * @example
 * ```ts
 * const e = await embedder('./jina-v3', { inputs: { task_id: 4 } })
 * ```
 */
export type InputValues = Readonly<Record<string, InputValue>>

/** A number as one writes it. */
const DECIMAL = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i

/** Least and greatest values of integers. */
const BOUNDS: Partial<Record<DType, readonly [least: bigint, most: bigint]>> = {
  int8: [-128n, 127n],
  uint8: [0n, 255n],
  int16: [-32768n, 32767n],
  uint16: [0n, 65535n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
  bool: [0n, 1n],
}

/**
 * Values in the one way of writing that recipes and keys have: decimal numbers, by the inputs' names in order.
 *
 * @example
 * ```ts
 * writtenValues({ task_id: 4n, scale: 0.5 })   // { scale: '0.5', task_id: '4' }
 * ```
 *
 * @throws PipiloError `OPTION_INVALID` for what is no number
 */
export function writtenValues(values: InputValues): Record<string, string> {
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw new PipiloError('OPTION_INVALID', 'inputs has to be an object of names and numbers.', {
      input: 'inputs',
      hint: 'As in inputs: { task_id: 4 }.',
    })
  }
  const entries = Object.entries(values).map(([name, value]): [string, string] => [
    name,
    written(name, value),
  ])
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}

function written(name: string, value: InputValue): string {
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'number' && Number.isFinite(value)) return decimal(value)
  if (typeof value === 'string') {
    const text = value.trim()
    if (text === 'zeros') return '0'
    if (/^[+-]?\d+$/.test(text)) return String(BigInt(text.replace(/^\+/, '')))
    if (DECIMAL.test(text) && Number.isFinite(Number(text))) return decimal(Number(text))
  }
  const given = typeof value === 'string' ? `'${value}'` : Array.isArray(value) ? 'an array' : String(value)
  throw new PipiloError('OPTION_INVALID', `inputs.${name} is ${given}; it has to be a number or 'zeros'.`, {
    input: name,
    hint: 'As in inputs: { task_id: 4 }; a bigint or a decimal string holds what a number cannot.',
  })
}

const decimal = (value: number): string => String(Number.isInteger(value) ? BigInt(value) : value)

/**
 * A tensor for an input of a graph that holds a given value everywhere.
 *
 * @example
 * ```ts
 * valueTensor(info, '4')   // of an input int64 [1]: { dtype: 'int64', shape: [1], data: [4n] }
 * ```
 *
 * @param value as {@link writtenValues} writes it
 * @param sizes what the symbols in the input's shape stand for. Default: 1
 * @throws PipiloError `OPTION_INVALID` for a value that the input's dtype does not hold
 */
export function valueTensor(
  info: TypedInput,
  value: string,
  sizes: ReadonlyMap<string, number> = new Map(),
): Tensor {
  const { name, type } = info
  if (type?.kind !== 'tensor' || type.dtype === undefined) {
    throw new PipiloError('OPTION_INVALID', `The input ${name} takes no number: it is no tensor.`, {
      input: name,
    })
  }
  const { dtype } = type
  // A size of −1 is what some exporters write where they mean any.
  const shape = (type.shape ?? []).map((size) =>
    typeof size === 'string' ? (sizes.get(size) ?? 1) : size < 0 ? 1 : size,
  )
  const element = elementOf(dtype, value)
  if (element === undefined) {
    throw new PipiloError('OPTION_INVALID', `The input ${name} is ${dtype}, which does not hold ${value}.`, {
      input: name,
    })
  }
  const data = typedArray(dtype, elementCount(shape))
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) data.fill(BigInt(element))
  else data.fill(Number(element))
  return { dtype, shape, data }
}

/** A number as the array of a dtype holds it; undefined where that is another number or none. */
function elementOf(dtype: DType, value: string): number | bigint | undefined {
  const bounds = BOUNDS[dtype]
  if (bounds) return isWithin(value, bounds) ? BigInt(value) : undefined
  if (dtype === 'float64') return Number(value)
  const single = Math.fround(Number(value))
  if (!Number.isFinite(single)) return undefined
  if (dtype === 'float32') return single
  if (dtype === 'bfloat16') return float32ToBfloat16(Float32Array.of(single))[0]
  if (dtype !== 'float16' || Math.abs(single) >= 65_520) return undefined
  return float32ToFloat16(Float32Array.of(single))[0]
}

function isWithin(value: string, [least, most]: readonly [bigint, bigint]): boolean {
  return /^-?\d+$/.test(value) && BigInt(value) >= least && BigInt(value) <= most
}
