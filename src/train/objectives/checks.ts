/** Checks of shapes and options, as far as they are known while a graph is built. */
import { PipiloError } from '../../base/index.ts'
import type { Value } from '../../graph/index.ts'

type Size = number | string

/** Values by the names that a loss calls them. */
type Named = Readonly<Record<string, Value>>

/**
 * Refuses what are not rows of one width, [rows, width] of one shape each.
 *
 * @param least rows that the loss needs. Sizes known by a symbol alone pass.
 * @throws PipiloError `SHAPE_MISMATCH`, `DTYPE_MISMATCH`
 */
export function checkVectors(values: Named, least = 1): void {
  for (const [name, value] of Object.entries(values)) {
    checkFloat(name, value)
    if (value.shape.length !== 2) throw mismatch(name, `${shown(name, value)}; vectors are [rows, width].`)
    checkBatch(name, value, least)
  }
  checkOneShape(values)
}

/** @throws PipiloError `SHAPE_MISMATCH` unless all values have one shape, so that nothing is broadcast in silence */
export function checkOneShape(values: Named): void {
  const [first, ...others] = Object.entries(values)
  for (const [name, value] of others) {
    if (!first || isSameShape(first[1].shape, value.shape)) continue
    throw mismatch(name, `${shown(...first)} and ${shown(name, value)}; they must have one shape.`)
  }
}

/** @throws PipiloError `SHAPE_MISMATCH` for fewer rows than a loss needs */
export function checkBatch(name: string, value: Value, least: number): void {
  const [rows] = value.shape
  if (typeof rows !== 'number' || rows >= least) return
  const sentence = `${shown(name, value)}: a batch of ${rows} is too small where rows are compared with each other.`
  throw mismatch(name, sentence, { hint: `Use batches of ${least} or more.` })
}

/** @throws PipiloError `SHAPE_MISMATCH` unless a value has these sizes; a symbol fits every size but 1 */
export function checkShape(name: string, value: Value, sizes: readonly Size[]): void {
  if (isSameShape(value.shape, sizes)) return
  throw mismatch(name, `${shown(name, value)}; it must be [${sizes.join(', ')}].`)
}

/**
 * Refuses labels that are not one integer a row.
 *
 * @throws PipiloError `SHAPE_MISMATCH`, `DTYPE_MISMATCH`
 */
export function checkClasses(name: string, labels: Value, sizes: readonly Size[]): void {
  checkShape(name, labels, sizes)
  if (labels.dtype === 'int64' || labels.dtype === 'int32') return
  throw new PipiloError('DTYPE_MISMATCH', `${name} are ${labels.dtype}; classes are int64 or int32.`, {
    input: name,
  })
}

/** @throws PipiloError `DTYPE_MISMATCH` for a value that is no float */
export function checkFloat(name: string, value: Value): void {
  if (/^(float|bfloat16)/.test(value.dtype)) return
  throw new PipiloError('DTYPE_MISMATCH', `${name} is ${value.dtype}; a loss is of floats.`, { input: name })
}

/** @throws PipiloError `OPTION_INVALID` unless a number is above 0 and finite */
export function checkPositive(name: string, value: number): void {
  if (Number.isFinite(value) && value > 0) return
  throw invalid(name, value, 'a number above 0')
}

/** @throws PipiloError `OPTION_INVALID` unless a number lies within these bounds, both allowed */
export function checkWithin(name: string, value: number, low: number, high = Number.MAX_VALUE): void {
  if (value >= low && value <= high) return
  const bounds = high === Number.MAX_VALUE ? `a number from ${low}` : `a number from ${low} to ${high}`
  throw invalid(name, value, bounds)
}

/** @throws PipiloError `OPTION_INVALID` for a word that is none of these */
export function checkChoice(name: string, value: string, choices: readonly string[]): void {
  if (choices.includes(value)) return
  throw invalid(name, value, `one of ${choices.join(', ')}`)
}

/** The error for an option: what it is and what it may be. */
export function invalid(name: string, value: unknown, allowed: string): PipiloError {
  return new PipiloError('OPTION_INVALID', `${name} is ${shownOption(value)}; it must be ${allowed}.`, {
    input: name,
  })
}

/** The error for a shape. */
export function mismatch(
  name: string,
  sentence: string,
  options: { readonly hint?: string } = {},
): PipiloError {
  return new PipiloError('SHAPE_MISMATCH', sentence, { input: name, ...options })
}

/** A value by its name and shape, as sentences say it. */
export function shown(name: string, value: Value): string {
  return `${name} is [${value.shape.join(', ')}]`
}

function shownOption(value: unknown): string {
  return typeof value === 'string' || Array.isArray(value) ? JSON.stringify(value) : String(value)
}

function isSameShape(a: readonly Size[], b: readonly Size[]): boolean {
  return a.length === b.length && a.every((size, axis) => fits(size, b[axis]!))
}

/** True unless two sizes are known to differ: against a symbol, a 1 would be repeated. */
function fits(a: Size, b: Size): boolean {
  if (typeof a === typeof b) return typeof a === 'string' || a === b
  return a !== 1 && b !== 1
}
