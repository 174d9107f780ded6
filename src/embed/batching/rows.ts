// The rows of a batch's result, checked before anybody sees them.
import { PipiloError } from '../../base/index.ts'
import type { Matrix, Tensor } from '../../tensor/index.ts'
import type { Unit } from './preparation.ts'

/** Numbers of one input: a vector, or a row for each of its tokens or positions. */
export type Numbers = Float32Array | Matrix

/** True if a result has a row for each of `count` inputs. */
export function hasRows({ shape }: Tensor, count: number): boolean {
  return shape[0] === count
}

/**
 * The numbers of one unit, as a view of the result: a row of [batch, dimensions], or the real tokens (all positions of a picture)
 * of [batch, tokens, dimensions].
 *
 * @param count the units that went in
 * @param width length of the vectors, where it is known
 * @param layer that gave them, for errors
 * @throws PipiloError `RESULT_INVALID` where the result is not of that shape or not finite
 */
export function numbersOf(
  { dtype, shape, data }: Tensor,
  row: number,
  { content }: Unit,
  {
    count,
    width,
    index,
    layer = 'The model',
  }: { count: number; width: number | undefined; index: number; layer?: string },
): Numbers {
  const invalid = (what: string, hint: string) =>
    new PipiloError('RESULT_INVALID', `${layer} gave ${what} for input ${index}.`, { input: index, hint })
  const columns = shape.at(-1) ?? 0
  const size = shape.reduce((product, dimension) => product * dimension, 1)
  const sized = (shape.length === 2 || shape.length === 3) && data.length === size
  if (!(data instanceof Float32Array) || !sized || shape[0] !== count) {
    const given = `${dtype} of shape [${shape.join(', ')}]`
    throw invalid(given, `One row for each of ${count} was expected: choose another layer; see layers().`)
  }
  if (size === 0) throw invalid('no numbers', 'Choose another layer; see layers().')
  if (width !== undefined && columns !== width)
    throw invalid(`${columns} numbers instead of ${width}`, 'Its width depends on the input: pool it.')
  const numbers = (from: number, rows: number): Float32Array => {
    const part = data.subarray(from * columns, (from + rows) * columns)
    if (!allFinite(part)) {
      const hint =
        'The model computes beyond what its numbers hold: open it in fp32, or choose another layer.'
      throw invalid('numbers that are not finite (NaN or infinite)', hint)
    }
    return part
  }
  if (shape.length === 2) return numbers(row, 1)
  const length = shape[1]!
  const rows = content instanceof Uint8Array ? length : Math.min(length, content.length)
  return { rows, columns, data: numbers(row * length, rows) }
}

/** The same numbers in an array that holds nothing else: a view would keep all of its batch in memory. */
export function alone<N extends Numbers>(numbers: N): N
export function alone(numbers: Numbers): Numbers {
  if (!(numbers instanceof Float32Array)) return { ...numbers, data: alone(numbers.data) }
  return numbers.byteLength === numbers.buffer.byteLength ? numbers : numbers.slice()
}

/** True if no number is NaN or infinite. */
function allFinite(numbers: Float32Array): boolean {
  // Zero times a number is zero, unless that is not finite: a sum has no branch to wait for.
  let sum = 0
  for (let i = 0; i < numbers.length; i++) sum += numbers[i]! * 0
  return sum === 0
}
