// Copies of plain data, so that a caller who goes on to change it changes nothing here.

import { PipiloError } from './errors.ts'
import { DEEPEST_JSON } from './json.ts'

/** A copy of objects and arrays, all the way down; functions and instances of classes (signals, typed arrays, Blobs) stay as they are. @throws PipiloError `OPTION_INVALID` for what nests too deep */
export function plainCopy<T>(value: T): T {
  return copyOf(value, 0) as T
}

function copyOf(value: unknown, depth: number): unknown {
  if (depth > DEEPEST_JSON) {
    throw new PipiloError(
      'OPTION_INVALID',
      `What was given nests more than ${DEEPEST_JSON} levels, or holds itself.`,
    )
  }
  if (Array.isArray(value)) return value.map((entry) => copyOf(entry, depth + 1))
  if (!isPlainObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, copyOf(entry, depth + 1)]))
}

/** True for an object that is no array and of no class. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  // Plain objects of another realm have a prototype that is not ours, and none above it.
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
