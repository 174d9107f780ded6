/** Batches of rows as the inputs of a step. */
import { PipiloError } from '../base/index.ts'
import type { DatasetRow } from '../embed/index.ts'
import { elementCount, type Tensor, tensor } from '../tensor/index.ts'
import { IGNORED_LABEL, tokenMask } from './augmentations/index.ts'
import type { MaskedTextsOptions, Network } from './objective.ts'
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
  const texts = new BatchTexts(batch, options)
  return Object.fromEntries([...feeds].map(([name, feed]) => [name, fill(feed, batch, options, texts)]))
}

function fill(feed: Feed, batch: Batch, options: CollateOptions, texts: BatchTexts): Tensor {
  switch (feed.kind) {
    case 'pixels':
      return batch.pixels[feed.view]!
    case 'labels':
      return labels(feed.column, batch, options)
    case 'numbers':
      return numbers(feed.column, feed.shape, batch, options)
    case 'tokens':
      return texts.padded(feed.column, feed.part)
    case 'masked':
      return texts.masked(feed.column, feed.options)[feed.part]
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

/** The texts of a batch as tokens: each column is encoded once, and tokens are hidden once. */
class BatchTexts {
  readonly #batch: Batch
  readonly #options: CollateOptions
  readonly #encoded = new Map<string, readonly (readonly number[])[]>()
  readonly #masked = new Map<string, Readonly<Record<'input_ids' | 'positions' | 'labels', Tensor>>>()

  constructor(batch: Batch, options: CollateOptions) {
    this.#batch = batch
    this.#options = options
  }

  /** `input_ids`, `attention_mask` or `token_type_ids`. */
  padded(column: string, part: string): Tensor {
    const known = this.#encoded.get(column) ?? encode(column, this.#batch, this.#options)
    this.#encoded.set(column, known)
    return padded(part, known, this.#options.network.text!.paddingId)
  }

  masked(column: string, rates: MaskedTextsOptions) {
    const known = this.#masked.get(column)
    if (known) return known
    const { network, seed, step } = this.#options
    const { tokens: _, table: __, ...masking } = network.text!.masking!
    const [ids, attention] = [this.padded(column, 'input_ids'), this.padded(column, 'attention_mask')]
    const made = tokenMask({ input_ids: ids, attention_mask: attention, ...masking, ...rates, seed, step })
    const input = made.input_ids.data as BigInt64Array
    const chosen = placesOf(made.labels.data as BigInt64Array)
    if (chosen.length === 0) {
      // A loss of nothing is no number: the first word is hidden.
      const special = new Set(masking.specialIds.map(BigInt))
      const first = input.findIndex((id, i) => attention.data[i] === 1n && !special.has(id))
      if (first < 0) {
        const where = this.#options.nameOf(this.#batch.indices[0]!)
        const sentence = `No text from ${where} on, of a batch of ${this.#batch.rows.length}, has a word to hide.`
        throw new PipiloError('INPUT_INVALID', sentence, { input: where })
      }
      input[first] = BigInt(masking.maskId)
      chosen.push(first)
    }
    const count = Math.ceil(chosen.length / LENGTH_STEP) * LENGTH_STEP
    const positions = new BigInt64Array(count)
    const labels = new BigInt64Array(count).fill(BigInt(IGNORED_LABEL))
    for (const [i, place] of chosen.entries()) {
      positions[i] = BigInt(place)
      labels[i] = ids.data[place] as bigint
    }
    const whole = {
      input_ids: made.input_ids,
      positions: tensor('int64', [count], positions),
      labels: tensor('int64', [count], labels),
    }
    this.#masked.set(column, whole)
    return whole
  }
}

/** Places of chosen tokens. */
function placesOf(labels: BigInt64Array): number[] {
  const places: number[] = []
  for (const [i, label] of labels.entries()) if (label !== BigInt(IGNORED_LABEL)) places.push(i)
  return places
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
  if (!Array.isArray(values) && !ArrayBuffer.isView(values)) return false
  // A loop: `every` of arrays is many times slower on typed ones.
  const list = values as ArrayLike<unknown>
  for (let i = 0; i < list.length; i++) if (!Number.isFinite(list[i])) return false
  return true
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
