/** Batches of rows as the inputs of a step. */
import { PipiloError } from '../base/index.ts'
import type { DatasetRow } from '../embed/index.ts'
import { elementCount, type Tensor, tensor } from '../tensor/index.ts'
import type { Network } from './objective.ts'
import type { Feed } from './scope.ts'

/** A batch as it comes from the data. */
export interface Batch {
  /** Indices of the rows in the data. */
  readonly indices: readonly number[]
  readonly rows: readonly DatasetRow[]
  /** Decoded pictures, a view each: float32 [batch, channels, height, width], 0 to 1. */
  readonly pixels: readonly Tensor[]
}

/** Surroundings of a batch. */
export interface CollateOptions {
  readonly network: Network
  readonly seed: number
  /** Number of the step. */
  readonly step: number
  readonly classes: readonly string[] | undefined
  /** Name of a row, for errors. */
  readonly nameOf: (index: number) => string
}

/** Lengths are rounded up, so that the runtime sees few different shapes. */
const LENGTH_STEP = 8

/**
 * The inputs of a step from a batch.
 *
 * @throws `INPUT_INVALID` for a value that is missing, no number, or a label out of range; it names the row
 */
export function collate(
  feeds: ReadonlyMap<string, Feed>,
  batch: Batch,
  options: CollateOptions,
): Record<string, Tensor> {
  const tokens = new Map<string, readonly (readonly number[])[]>()
  return Object.fromEntries([...feeds].map(([name, feed]) => [name, fill(feed, batch, options, tokens)]))
}

function fill(
  feed: Feed,
  batch: Batch,
  options: CollateOptions,
  tokens: Map<string, readonly (readonly number[])[]>,
): Tensor {
  switch (feed.kind) {
    case 'pixels':
      return batch.pixels[feed.view]!
    case 'labels':
      return labels(feed.column, batch, options)
    case 'numbers':
      return numbers(feed.column, feed.shape, batch, options)
    case 'tokens': {
      const known = tokens.get(feed.column) ?? encode(feed.column, batch, options)
      tokens.set(feed.column, known)
      return padded(feed.part, known, options.network.text!.paddingId)
    }
    case 'drawn': {
      const shape = feed.shape.map(Number)
      const data = feed.draw({ seed: options.seed, step: options.step, rows: batch.indices })
      if (data.length === elementCount(shape)) return { dtype: feed.dtype, shape, data } as Tensor
      throw new PipiloError(
        'SHAPE_MISMATCH',
        `An input of [${shape}] was drawn with ${data.length} elements.`,
      )
    }
  }
}

function numberOf(column: string, batch: Batch, place: number): unknown {
  return (batch.rows[place] as Readonly<Record<string, unknown>>)[column]
}

function wrong(
  column: string,
  batch: Batch,
  place: number,
  what: string,
  { nameOf }: CollateOptions,
): PipiloError {
  const where = nameOf(batch.indices[place]!)
  return new PipiloError('INPUT_INVALID', `${where}: ${column} ${what}.`, { input: where })
}

function labels(column: string, batch: Batch, options: CollateOptions): Tensor {
  const { classes } = options
  const data = BigInt64Array.from(batch.rows, (_, place) => {
    const value = numberOf(column, batch, place)
    if (typeof value !== 'number' || !Number.isInteger(value)) {
      throw wrong(
        column,
        batch,
        place,
        `is ${typeof value === 'number' ? value : (JSON.stringify(value) ?? 'missing')}, not the index of a class`,
        options,
      )
    }
    if (value < 0 || (classes && value >= classes.length)) {
      const range = classes ? `; the ${classes.length} classes count from 0` : ''
      throw wrong(column, batch, place, `is ${value}, which is out of range${range}`, options)
    }
    return BigInt(value)
  })
  return { dtype: 'int64', shape: [data.length], data }
}

function numbers(column: string, shape: readonly number[], batch: Batch, options: CollateOptions): Tensor {
  const size = elementCount(shape)
  const data = new Float32Array(batch.rows.length * size)
  for (let place = 0; place < batch.rows.length; place++) {
    const value = numberOf(column, batch, place)
    const values = typeof value === 'number' ? [value] : value
    if (!isNumbers(values) || values.length !== size) {
      throw wrong(column, batch, place, `is not ${size === 1 ? 'a number' : `${size} numbers`}`, options)
    }
    data.set(values, place * size)
  }
  return tensor('float32', [batch.rows.length, ...shape], data)
}

function isNumbers(values: unknown): values is ArrayLike<number> {
  const isList = Array.isArray(values) || ArrayBuffer.isView(values)
  return isList && Array.prototype.every.call(values, (value) => Number.isFinite(value))
}

function encode(column: string, batch: Batch, options: CollateOptions): readonly (readonly number[])[] {
  const texts = batch.rows.map((_, place) => {
    const value = numberOf(column, batch, place)
    if (typeof value === 'string') return value
    throw wrong(column, batch, place, `is ${JSON.stringify(value) ?? 'missing'}, not a text`, options)
  })
  return options.network.text!.encode(texts)
}

/** Ids, mask or types of token lists, int64 [batch, longest rounded up]. */
function padded(part: string, lists: readonly (readonly number[])[], paddingId: number): Tensor {
  const longest = Math.max(1, ...lists.map((ids) => ids.length))
  const length = Math.ceil(longest / LENGTH_STEP) * LENGTH_STEP
  const data = new BigInt64Array(lists.length * length)
  if (part === 'input_ids') data.fill(BigInt(paddingId))
  if (part !== 'token_type_ids') {
    for (const [row, ids] of lists.entries()) {
      for (const [place, id] of ids.entries()) {
        data[row * length + place] = part === 'input_ids' ? BigInt(id) : 1n
      }
    }
  }
  return { dtype: 'int64', shape: [lists.length, length], data }
}
