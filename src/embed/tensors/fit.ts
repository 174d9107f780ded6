// Fits the numbers of one input to what a graph takes: dtype, batch axis, sizes.
import { PipiloError } from '../../base/index.ts'
import type { Dimension, Shape, ValueInfo } from '../../graph/index.ts'
import {
  elementCount,
  float32ToBfloat16,
  float32ToFloat16,
  type Tensor,
  type TypedArray,
  tensor,
  typedArray,
} from '../../tensor/index.ts'
import type { ShapedNumbers } from '../types.ts'
import type { Fitted } from './content.ts'

/** Numbers, with their shape where it was given. */
type TensorNumbers = Omit<ShapedNumbers, 'shape'> & Partial<Pick<ShapedNumbers, 'shape'>>

/**
 * The numbers of one input as the graph takes them: its batch axis added, where it has one and they have not.
 *
 * @param label the input in errors
 * @param sizes sizes of the symbols of axes seen so far, to which those of this input are added
 * @throws PipiloError `INPUT_INVALID`, `SHAPE_MISMATCH`, `DTYPE_MISMATCH`
 */
export function fitTensor(
  info: ValueInfo,
  given: unknown,
  label: string,
  sizes: Map<string, number>,
): Fitted {
  const { name, type } = info
  if (type !== undefined && type.kind !== 'tensor') {
    throw new PipiloError(
      'FORMAT_UNSUPPORTED',
      `The graph takes a ${type.kind} at ${name}, and inputs are tensors.`,
      {
        input: name,
      },
    )
  }
  const { shape, data, dtype = type?.dtype ?? 'float32' } = numbersOf(given, `${label} for ${name}`)
  if (type && type.dtype !== dtype && isPattern(dtype)) {
    throw new PipiloError('DTYPE_MISMATCH', `${label} is ${dtype}, and ${name} takes ${type.dtype}.`, {
      input: label,
    })
  }
  const declared = type?.shape
  const { whole, row } = shapeOf(declared, shape, data.length, { label, name })
  if (declared) checkSizes(declared, whole, row, sizes, { label, name })
  const converted = convert(type?.dtype ?? dtype, data, label)
  return { tensor: tensor(type?.dtype ?? dtype, whole, converted), row }
}

/** The axis in front of what one input has, as far as a graph's declaration tells: one that is open, or 1. */
export function hasBatch(shape: Shape | undefined): boolean {
  const [first] = shape ?? []
  if (first === undefined || !shape || isNamedBatch(shape)) return false
  return typeof first === 'string' || first === 1 || first < 0
}

/** A graph whose axes have names may have its batch further behind. */
function isNamedBatch(shape: Shape): boolean {
  const named = (size: Dimension | undefined) => typeof size === 'string' && /batch/i.test(size)
  return !named(shape[0]) && shape.slice(1).some(named)
}

function isOpen(size: Dimension): boolean {
  // Some exporters write −1 where they mean any size.
  return typeof size === 'string' || size < 0
}

const isPattern = (dtype: string) => /^(float16|bfloat16|float8|complex|string)/.test(dtype)

function numbersOf(given: unknown, label: string): TensorNumbers {
  if (ArrayBuffer.isView(given) && !(given instanceof DataView))
    return { data: given as unknown as TypedArray }
  if (typeof given === 'number' || typeof given === 'bigint' || typeof given === 'boolean')
    return { shape: [], data: [given] }
  if (typeof given === 'object' && given !== null && 'data' in given && 'shape' in given) {
    const { shape, data } = given as ShapedNumbers
    const isShape = Array.isArray(shape) && shape.every((size) => Number.isSafeInteger(size) && size >= 0)
    if (isShape && (ArrayBuffer.isView(data) || Array.isArray(data))) {
      if (isPacked(given as ShapedNumbers) || elementCount(shape) === data.length)
        return given as ShapedNumbers
      throw new PipiloError(
        'SHAPE_MISMATCH',
        `${label} has ${data.length} numbers, and the shape [${shape.join(', ')}] ${elementCount(shape)}.`,
        { input: label },
      )
    }
  }
  throw new PipiloError('INPUT_INVALID', `${label} is no tensor.`, {
    input: label,
    hint: 'Give a typed array, { shape, data }, or the path of a .npy file.',
  })
}

const isPacked = ({ dtype }: TensorNumbers): boolean =>
  dtype !== undefined && /^(u?int[24]$|float[46]|complex)/.test(dtype)

interface Named {
  readonly label: string
  readonly name: string
}

const text = (shape: Shape) => `[${shape.map((size) => (size === '' ? '?' : size)).join(', ')}]`

/** The whole shape, batch axis included, of what was given with its shape or as so many numbers. */
function shapeOf(
  declared: Shape | undefined,
  shape: readonly number[] | undefined,
  count: number,
  { label, name }: Named,
): { readonly whole: readonly number[]; readonly row: boolean } {
  const wrong = (what: string, hint: string) =>
    new PipiloError(
      'SHAPE_MISMATCH',
      `${label} ${what}; ${name} takes ${declared ? text(declared) : 'a tensor of any shape'}.`,
      {
        input: label,
        hint,
      },
    )
  if (!declared) {
    if (shape) return { whole: shape, row: false }
    throw wrong(`has ${count} numbers and no shape`, 'Give { shape, data }.')
  }
  const batch = hasBatch(declared)
  if (shape) {
    if (shape.length === declared.length)
      return { whole: shape, row: batch && shape[0] === 1 && declared.length > 1 }
    if (batch && shape.length === declared.length - 1) return { whole: [1, ...shape], row: true }
    throw wrong(
      `has the shape [${shape.join(', ')}]`,
      batch
        ? 'The batch axis may be left out, and no other.'
        : 'Its first axis is no batch: give the whole tensor.',
    )
  }
  // One axis holds the numbers, however many they are.
  const inner = batch && declared.length > 1 ? declared.slice(1) : declared
  const open = inner.filter(isOpen)
  if (open.length > 1)
    throw wrong(`has ${count} numbers`, 'Several of its axes are open: give { shape, data }.')
  const rest = inner.reduce<number>(
    (product, size) => (isOpen(size) ? product : product * (size as number)),
    1,
  )
  const fits = open.length === 0 ? count === rest : rest > 0 && count % rest === 0 && count > 0
  if (!fits) throw wrong(`has ${count} numbers`, `Those of one input are ${text(inner)}.`)
  const solved = inner.map((size) => (isOpen(size) ? count / rest : (size as number)))
  return inner === declared ? { whole: solved, row: false } : { whole: [1, ...solved], row: true }
}

function checkSizes(
  declared: Shape,
  whole: readonly number[],
  row: boolean,
  sizes: Map<string, number>,
  { label, name }: Named,
): void {
  for (const [axis, size] of declared.entries()) {
    const is = whole[axis]!
    if (typeof size === 'string') {
      // The batch is as large as the runtime is given rows.
      if (size === '' || (row && axis === 0)) continue
      const before = sizes.get(size)
      if (before === undefined) sizes.set(size, is)
      if (before === undefined || before === is) continue
      throw new PipiloError(
        'SHAPE_MISMATCH',
        `${label} has ${size} = ${is} at ${name}, and ${before} elsewhere.`,
        {
          input: label,
        },
      )
    }
    if (size < 0 || size === is) continue
    throw new PipiloError(
      'SHAPE_MISMATCH',
      `${label} has the shape [${whole.join(', ')}]; ${name} takes ${text(declared)}.`,
      { input: label, hint: 'Nothing is padded or cut: bring it to that size in your own way.' },
    )
  }
}

/** The same numbers in the array of a dtype; what is not the same number there is an error, but for the rounding of floats. */
function convert(dtype: Tensor['dtype'], data: TensorNumbers['data'], label: string): Tensor['data'] {
  if (dtype === 'string') return data as Tensor['data']
  const target = typedArray(dtype, 0)
  if (ArrayBuffer.isView(data) && data.constructor === target.constructor) return data as Tensor['data']
  const values = data as ArrayLike<number | bigint | boolean>
  if (dtype === 'float16') return float32ToFloat16(Float32Array.from(values, Number))
  if (dtype === 'bfloat16') return float32ToBfloat16(Float32Array.from(values, Number))
  const made = typedArray(dtype, values.length)
  if (made.length !== values.length) {
    throw new PipiloError('DTYPE_MISMATCH', `${label} cannot be made ${dtype}.`, {
      input: label,
      hint: 'Give the packed bytes as a Uint8Array.',
    })
  }
  const floats = made instanceof Float32Array || made instanceof Float64Array
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (floats) {
      made[i] = Number(value)
      continue
    }
    const exact = typeof value === 'bigint' || Number.isInteger(Number(value))
    if (exact)
      (made as { [index: number]: number | bigint })[i] =
        made instanceof BigInt64Array || made instanceof BigUint64Array ? BigInt(value) : Number(value)
    if (exact && BigInt(made[i]!) === BigInt(value)) continue
    throw new PipiloError('DTYPE_MISMATCH', `${label} holds ${value}, which ${dtype} does not.`, {
      input: label,
    })
  }
  return made
}
