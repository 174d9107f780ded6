// Copies of plain data, so that a caller who goes on to change it changes nothing here.

/** A copy of objects and arrays, all the way down; functions and instances of classes (signals, typed arrays, Blobs) stay as they are. */
export function plainCopy<T>(value: T): T {
  return copyOf(value) as T
}

function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOf)
  if (!isPlainObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, copyOf(entry)]))
}

/** True for an object that is no array and of no class. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  // Plain objects of another realm have a prototype that is not ours, and none above it.
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
