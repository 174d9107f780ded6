// Batches of a data set for training, read and decoded ahead of the one who takes them.

import {
  checkOptions as check,
  checkCount,
  closest,
  is,
  type OptionTable,
  PipiloError,
  Queue,
  throwIfAborted,
} from '../../base/index.ts'
import type { Dataset, DatasetRow, DatasetStream } from '../../embed/index.ts'
import type { Tensor } from '../../tensor/index.ts'
import { type ClassOptions, classSampler } from './classSampler.ts'
import { distinctKeys } from './distinctKeys.ts'
import { distinctSampler } from './distinctSampler.ts'
import {
  type DecodedPicture,
  type PictureDecoder,
  type PictureOptions,
  pictureDecoder,
  pictureTensor,
} from './pictures.ts'
import { plainSampler, type Sampler } from './sampler.ts'

const batchesTypes: OptionTable<BatchOptions> = {
  batch: is.count(1),
  seed: is.integer,
  epoch: is.count(0),
  shuffle: is.flag,
  dropLast: is.flag,
  startAt: is.count(0),
  sampler: is.either(is.oneOf(['plain', 'distinct']), is.instance('a sampler')),
  pictures: is.instance('options of pictures, or their decoder'),
  onError: is.oneOf(['throw', 'skip']),
  ahead: is.count(0),
  signal: is.abortSignal,
}

/** Options of {@link batches}. */
export interface BatchOptions {
  /** Samples in a batch. Not for P × K, which says it itself. */
  readonly batch?: number
  /** Default 0. */
  readonly seed?: number
  /** Default 0. Each has another order. */
  readonly epoch?: number
  /** Default `true`; `false` for a stream, which can only be read in order. */
  readonly shuffle?: boolean
  /** Leave out a last batch that is smaller. Default `false`. */
  readonly dropLast?: boolean
  /** Batch to begin with, to go on where training stopped. Default 0. */
  readonly startAt?: number
  /**
   * `plain`: every sample once; `distinct`: no text and no class twice in a batch (for multiple negatives ranking); `{ classes, samples }`: P × K, for
   * triplet and supervised contrastive losses; or one of your own. Default `plain`.
   */
  readonly sampler?: 'plain' | 'distinct' | Omit<ClassOptions, 'seed'> | Sampler
  /** Decode the `image` column to `pixels`. A decoder keeps its cache from call to call. Default: pictures stay as the rows have them. */
  readonly pictures?: PictureOptions | PictureDecoder
  /** `skip`: a sample whose picture cannot be read is left out of its batch, and stands in `skipped`. Default `throw`. */
  readonly onError?: 'throw' | 'skip'
  /** Batches that are made ready before they are asked for. Default 2. */
  readonly ahead?: number
  readonly signal?: AbortSignal
}

/** Samples of one step. */
export interface Batch {
  readonly epoch: number
  /** Its place in the epoch, from 0: to go on after it, start at `number + 1`. */
  readonly number: number
  /** Rows of the data set, or of the stream. */
  readonly indices: readonly number[]
  readonly rows: readonly DatasetRow[]
  /** Of rows that have labels. */
  readonly labels?: Int32Array
  /** Of rows that have scores. */
  readonly scores?: Float32Array
  /** With `pictures`: float32 [N, C, H, W], from 0 to 1. */
  readonly pixels?: Tensor
  /** Samples that were left out, with `onError: 'skip'`. */
  readonly skipped: readonly { readonly index: number; readonly error: PipiloError }[]
}

/**
 * The batches of an epoch, made ready ahead: while a step runs, the pictures of the next are decoded.
 *
 * @example
 * ```ts
 * for await (const { pixels, labels } of batches(dataset, { batch: 64, seed: 42, epoch: 3, pictures: { size: 28, channels: 1 } })) …
 * for await (const { rows } of batches(pairs, { batch: 64, sampler: 'distinct' })) …
 * for await (const { rows } of batches(birds, { sampler: { classes: 8, samples: 4 } })) …
 * ```
 *
 * @remarks
 * The same seed and epoch give the same batches, and `startAt` goes on among them: in constant time (for `distinct`, after a pass over its keys; of a
 * stream, after reading what is left out). Memory holds the batches ahead and the cache of pictures, however large the data set is. A batch of which
 * every picture is left out does not come.
 *
 * @throws PipiloError `OPTION_INVALID`, `INPUT_INVALID` (pictures of several sizes without a `size`; too few classes), `ABORTED`, and what
 *   reading and decoding throw
 */
export async function* batches(
  dataset: Dataset | DatasetStream,
  options: BatchOptions,
): AsyncGenerator<Batch> {
  check('batches', options, batchesTypes)
  checkOptions(options)
  const { ahead = 2, signal } = options
  const queue = new Queue<Batch>(ahead)
  const writing = fill(queue, dataset, options)
  try {
    for (let chunk = await queue.take(1); chunk; chunk = await queue.take(1)) {
      throwIfAborted(signal)
      yield chunk.items[0]!
    }
  } finally {
    queue.stop()
    await writing
  }
}

/** Puts batches into the queue; never throws: the reader gets the error. */
async function fill(
  queue: Queue<Batch>,
  dataset: Dataset | DatasetStream,
  options: BatchOptions,
): Promise<void> {
  try {
    for await (const batch of made(dataset, options)) {
      await queue.room()
      if (queue.stopped) return
      queue.put({ items: [batch], rows: [batch.number] })
    }
    queue.end()
  } catch (error) {
    queue.fail(error)
  }
}

async function* made(dataset: Dataset | DatasetStream, options: BatchOptions): AsyncGenerator<Batch> {
  const { epoch = 0, startAt = 0, signal } = options
  const decoder = options.pictures && decoderOf(options.pictures, dataset)
  const chosen =
    dataset.length === undefined ? streamed(dataset, options) : sampled(dataset, options, epoch, startAt)
  let number = startAt
  for await (const { indices, rows } of chosen) {
    throwIfAborted(signal)
    const batch = await assembled(dataset, indices, rows, decoder, options)
    if (batch.indices.length > 0) yield { epoch, number, ...batch }
    number++
  }
}

interface Chosen {
  readonly indices: readonly number[]
  readonly rows: readonly DatasetRow[]
}

async function* sampled(
  dataset: Dataset,
  options: BatchOptions,
  epoch: number,
  startAt: number,
): AsyncGenerator<Chosen> {
  const sampler = await samplerOf(dataset, options)
  if (sampler.length !== undefined && startAt > sampler.length) {
    throw new PipiloError(
      'OPTION_INVALID',
      `startAt is ${startAt}, and an epoch has ${sampler.length} batches.`,
      {
        input: 'startAt',
      },
    )
  }
  for (const indices of sampler.batches(epoch, startAt)) {
    yield { indices, rows: await dataset.getMany(indices) }
  }
}

/**
 * The sampler that options ask for.
 *
 * @example
 * ```ts
 * (await samplerOf(dataset, { batch: 64 })).length     // steps of an epoch
 * ```
 *
 * @throws PipiloError `OPTION_INVALID`, `INPUT_INVALID`
 */
export async function samplerOf(dataset: Dataset, options: BatchOptions): Promise<Sampler> {
  const { batch, seed = 0, shuffle = true, dropLast = false, sampler = 'plain' } = options
  if (typeof sampler === 'object') {
    if ('batches' in sampler) return sampler
    if (batch !== undefined && batch !== sampler.classes * sampler.samples) {
      throw new PipiloError(
        'OPTION_INVALID',
        `batch is ${batch}, and ${sampler.classes} classes × ${sampler.samples} samples are ${sampler.classes * sampler.samples}.`,
        { input: 'batch' },
      )
    }
    if (!dataset.labels) {
      throw new PipiloError('INPUT_INVALID', `${dataset.name} has no labels to choose classes by.`, {
        input: dataset.name,
      })
    }
    return classSampler(dataset.labels, { ...sampler, seed })
  }
  checkCount('batch', batch, 1)
  const plain = { batch: batch!, seed, shuffle, dropLast }
  if (sampler === 'plain') return plainSampler(dataset.length, plain)
  return distinctSampler(await distinctKeys(dataset), plain)
}

async function* streamed(dataset: DatasetStream, options: BatchOptions): AsyncGenerator<Chosen> {
  const { batch, shuffle = false, dropLast = false, startAt = 0, sampler = 'plain' } = options
  checkCount('batch', batch, 1)
  if (shuffle || sampler !== 'plain') {
    throw new PipiloError(
      'OPTION_INVALID',
      'A stream is read in order: it can be neither shuffled nor chosen from.',
      {
        input: shuffle ? 'shuffle' : 'sampler',
        hint: 'Collect its rows first: collectDataset.',
      },
    )
  }
  let rows: DatasetRow[] = []
  let index = 0
  const first = startAt * batch!
  const cut = (): Chosen => {
    const start = index - rows.length
    const chosen = { indices: rows.map((_, i) => start + i), rows }
    rows = []
    return chosen
  }
  for await (const row of dataset) {
    if (index++ < first) continue
    rows.push(row)
    if (rows.length === batch) yield cut()
  }
  if (rows.length > 0 && !dropLast) yield cut()
}

function decoderOf(
  pictures: PictureOptions | PictureDecoder,
  dataset: Dataset | DatasetStream,
): PictureDecoder {
  if (!dataset.columns.includes('image')) {
    throw new PipiloError('INPUT_INVALID', `${dataset.name} has no pictures.`, {
      input: 'pictures',
      hint: `It has the columns ${dataset.columns.join(', ')}.`,
    })
  }
  return 'decode' in pictures ? pictures : pictureDecoder(pictures)
}

async function assembled(
  dataset: Dataset | DatasetStream,
  indices: readonly number[],
  rows: readonly DatasetRow[],
  decoder: PictureDecoder | undefined,
  { onError = 'throw', signal }: BatchOptions,
): Promise<Omit<Batch, 'epoch' | 'number'>> {
  if (!decoder) return batchOf(dataset, indices, rows)
  const named = dataset.length === undefined ? streamNames(dataset) : dataset
  const decoded = await Promise.all(
    rows.map(async ({ image }, i): Promise<DecodedPicture | PipiloError> => {
      try {
        return await decoder.decode(named, indices[i]!, image!, signal)
      } catch (error) {
        if (!(error instanceof PipiloError) || error.code === 'ABORTED') throw error
        return error
      }
    }),
  )
  // In order: of several bad ones it is the first that is named.
  const bad = decoded.find((each) => each instanceof PipiloError)
  if (bad && onError === 'throw') throw bad
  const good = decoded.flatMap((each, i) => (each instanceof PipiloError ? [] : [{ each, i }]))
  const skipped = decoded.flatMap((error, i) =>
    error instanceof PipiloError ? [{ index: indices[i]!, error }] : [],
  )
  return {
    ...batchOf(
      dataset,
      good.map(({ i }) => indices[i]!),
      good.map(({ i }) => rows[i]!),
    ),
    pixels: pictureTensor(good.map(({ each }) => each)),
    skipped,
  }
}

/** Rows of a stream have no names, and nothing of it is kept. */
const streamNames = ({ name }: DatasetStream) => ({ nameOf: (index: number) => `row ${index} of ${name}` })

function batchOf(
  { columns }: Dataset | DatasetStream,
  indices: readonly number[],
  rows: readonly DatasetRow[],
): Omit<Batch, 'epoch' | 'number'> {
  return {
    indices,
    rows,
    ...(columns.includes('label') && { labels: Int32Array.from(rows, ({ label }) => label!) }),
    ...(columns.includes('score') && { scores: Float32Array.from(rows, ({ score }) => score!) }),
    skipped: [],
  }
}

function checkOptions({ epoch = 0, startAt = 0, ahead = 2, sampler, onError = 'throw' }: BatchOptions): void {
  checkCount('epoch', epoch, 0)
  checkCount('startAt', startAt, 0)
  checkCount('ahead', ahead, 1)
  checkChoice('onError', onError, ['throw', 'skip'])
  if (typeof sampler === 'string') checkChoice('sampler', sampler, ['plain', 'distinct'])
}

function checkChoice(name: string, value: string, choices: readonly string[]): void {
  if (choices.includes(value)) return
  const [like] = closest(value, choices, 1)
  throw new PipiloError(
    'OPTION_INVALID',
    `${name} is '${value}'; it has to be one of ${choices.join(', ')}.`,
    {
      input: name,
      ...(like && { hint: `Did you mean '${like}'?` }),
    },
  )
}
