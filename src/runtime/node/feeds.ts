// Checks the feeds of a run against the graph's inputs before anything is sent or moved.

import { PipiloError } from '../../base/index.ts'
import type { Shape, ValueInfo } from '../../graph/index.ts'
import type { Tensor } from '../../tensor/index.ts'

/**
 * Throws when a feed is missing or unknown (`INPUT_INVALID`), has another dtype (`DTYPE_MISMATCH`), or a shape that
 * the graph does not take (`SHAPE_MISMATCH`). A named size must be the same everywhere it occurs.
 *
 * @param optional inputs that have a default value in the graph
 */
export function checkFeeds(
  inputs: readonly ValueInfo[],
  feeds: Readonly<Record<string, Tensor>>,
  optional: { has(name: string): boolean },
): void {
  const names = inputs.map((input) => input.name)
  for (const name of Object.keys(feeds)) {
    if (names.includes(name)) continue
    throw new PipiloError('INPUT_INVALID', `The graph has no input "${name}".`, {
      hint: `Its inputs are ${list(names)}.`,
      input: name,
    })
  }
  const sizes = new Map<string, { size: number; input: string }>()
  for (const { name, type } of inputs) {
    const feed = feeds[name]
    if (!feed) {
      if (optional.has(name)) continue
      throw new PipiloError('INPUT_INVALID', `The input "${name}" is missing.`, {
        hint: `The graph's inputs are ${list(names)}.`,
        input: name,
      })
    }
    checkData(name, feed)
    if (type?.kind !== 'tensor') continue
    if (type.dtype !== feed.dtype)
      throw new PipiloError(
        'DTYPE_MISMATCH',
        `The input "${name}" is ${feed.dtype}; the graph takes ${type.dtype}.`,
        {
          input: name,
        },
      )
    if (type.shape) checkShape(name, feed.shape, type.shape, sizes)
  }
}

/** Throws `INPUT_INVALID` when a fetched output does not exist. */
export function checkOutputs(outputs: readonly ValueInfo[], fetched: readonly string[]): void {
  for (const name of fetched) {
    if (outputs.some((output) => output.name === name)) continue
    throw new PipiloError('INPUT_INVALID', `The graph has no output "${name}".`, {
      hint: `Its outputs are ${list(outputs.map((output) => output.name))}.`,
      input: name,
    })
  }
}

function checkData(name: string, { dtype, shape, data }: Tensor): void {
  // Types below 8 bits share a byte; the runtime checks those itself.
  if (/^u?int[24]$|^float4/.test(dtype)) return
  const size = shape.reduce((product, dimension) => product * dimension, 1)
  if (data.length === size) return
  throw new PipiloError(
    'INPUT_INVALID',
    `The input "${name}" has ${data.length} elements, but its shape [${shape.join(', ')}] has ${size}.`,
    {
      hint:
        data.length === 0
          ? 'An array that an earlier run was given has been moved: give each run an array of its own.'
          : 'Make data and shape agree.',
      input: name,
    },
  )
}

function checkShape(
  name: string,
  given: readonly number[],
  declared: Shape,
  sizes: Map<string, { size: number; input: string }>,
): void {
  const mismatch = (why: string) =>
    new PipiloError(
      'SHAPE_MISMATCH',
      `The input "${name}" has shape [${given.join(', ')}]; the graph takes [${declared.map((d) => d || '?').join(', ')}]${why}.`,
      { input: name },
    )
  if (given.length !== declared.length) throw mismatch('')
  declared.forEach((dimension, axis) => {
    const size = given[axis] as number
    if (typeof dimension === 'number') {
      if (size !== dimension) throw mismatch('')
    } else if (dimension !== '') {
      const known = sizes.get(dimension)
      if (known && known.size !== size)
        throw mismatch(`, and ${dimension} is ${known.size} in "${known.input}"`)
      if (!known) sizes.set(dimension, { size, input: name })
    }
  })
}

function list(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ')
}
