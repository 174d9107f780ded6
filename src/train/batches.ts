/** The batches of a run: loaded, augmented, and the validation data beside them. */
import { PipiloError } from '../base/index.ts'
import type { Dataset, DatasetStream } from '../embed/index.ts'
import type { Tensor } from '../tensor/index.ts'
import { augmentation } from './augmentations/augmentation.ts'
import { type Augmenter, augmenter } from './augmentations/augmenter.ts'
import type { Batch } from './collate.ts'
import { type BatchOptions, batches, samplerOf } from './data/batches.ts'
import { withDerived } from './data/derivedRows.ts'
import { type PictureDecoder, pictureDecoder } from './data/pictures.ts'
import { splitDataset } from './data/split.ts'
import type { Network, Objective } from './objective.ts'
import type { TrainOptions } from './options.ts'

/** Source of a run's batches. */
export interface BatchSource {
  /** Rows of a batch. */
  readonly batch: number
  /** Rows that are trained on. */
  readonly rows: number
  /** Batches of an epoch. */
  readonly steps: number
  readonly classes: readonly string[] | undefined
  readonly hasValidation: boolean
  nameOf(index: number): string
  /** Hash of the data. */
  hash(): Promise<string>
  /** The batches of an epoch, from one of them on. `step` is the run's number of the epoch's first. */
  epoch(epoch: number, startAt: number): AsyncIterable<Batch>
  /** Sizes of the validation's batches: whole ones, and the rest. */
  validationSizes(least: number): readonly number[]
  /** The validation's batches of a size, not augmented. */
  validation(size: number): AsyncIterable<Batch>
  validationNameOf(index: number): string
  close(): Promise<void>
}

const DEFAULT_BATCH = 64
/** Times that the data is gone through. */
export const DEFAULT_EPOCHS = 10

/**
 * Opens the data of a run.
 *
 * @throws `OPTION_INVALID`, `INPUT_INVALID` for data that is too small or lacks what the objective needs
 */
export async function openBatches(options: TrainOptions): Promise<BatchSource> {
  const { network, objective, epochs = DEFAULT_EPOCHS, seed = 0, signal } = options
  const parts = partsOf(options)
  checkRows(options, parts.data, parts.validation)
  const { derived } = objective
  const trainedOn = derived && withDerived(parts.data, derived)
  const validatedOn = derived && parts.validation && withDerived(parts.validation, derived)
  const data = trainedOn?.data ?? parts.data
  const validation = validatedOn?.data ?? parts.validation
  const batch = Math.min(options.batch ?? DEFAULT_BATCH, data.length)
  checkBatch(batch, data, objective)
  const views = objective.views ?? 1
  const source = sourceSize(network, options)
  const decoder = network.image && data.columns.includes('image') ? decoderOf(network, source) : undefined
  const plainDecoder = network.image && decoder ? decoderOf(network, network.image.size) : undefined
  const augmenting = await openAugmenter(options, source, views)
  const loading: BatchOptions = {
    batch,
    seed,
    dropLast: true,
    ...samplerFor(objective, batch, data),
    ...(decoder && { pictures: decoder }),
    ...(signal && { signal }),
  }
  const rows = loading.batch ?? batch
  const sampler = await samplerOf(data, loading)
  const steps = countSteps(sampler, data, rows)
  const viewsOf = async (pixels: Tensor | undefined, step: number): Promise<Tensor[]> => {
    if (!pixels) return []
    if (augmenting) return Object.values(await augmenting.augment(pixels, { seed, step }))
    return Array.from({ length: views }, () => pixels)
  }
  const opened = (epoch: number, startAt: number): Ahead<Batch> =>
    ahead(batches(data, { ...loading, epoch, startAt }), async (one) => ({
      ...one,
      pixels: await viewsOf(one.pixels, epoch * steps + one.number),
    }))
  let coming: { readonly epoch: number; readonly items: Ahead<Batch> } | undefined
  return {
    batch: rows,
    rows: data.length,
    steps,
    classes: data.classes,
    hasValidation: validation !== undefined,
    nameOf: (index) => data.nameOf(index),
    hash: () => data.hash(),
    async *epoch(epoch, startAt) {
      const begun = coming?.epoch === epoch && startAt === 0 ? coming.items : undefined
      if (!begun) await coming?.items.stop()
      coming = undefined
      let number = startAt
      for await (const next of begun ?? opened(epoch, startAt)) {
        number++
        // While the last step of an epoch runs, the first batch of the next is made.
        if (number >= steps && epoch + 1 < epochs)
          coming ??= { epoch: epoch + 1, items: opened(epoch + 1, 0) }
        yield next
      }
      if (number === 0) throw noBatch(data, rows)
    },
    validationSizes(least) {
      const count = validation!.length
      const whole = Math.min(batch, count)
      const rest = count % whole
      return rest >= least && rest > 0 ? [whole, rest] : [whole]
    },
    async *validation(size) {
      const count = validation!.length
      const whole = Math.min(batch, count)
      const reading = batches(validation!, {
        batch: whole,
        // Rows that lie by class would make batches of one class, which objectives that compare classes learn nothing from.
        shuffle: objective.sampling !== undefined,
        seed,
        ...(plainDecoder && { pictures: plainDecoder }),
        ...(signal && { signal }),
      })
      for await (const one of reading) {
        if (one.indices.length !== size) continue
        const pixels = one.pixels ? Array.from({ length: views }, () => one.pixels!) : []
        yield { indices: one.indices, rows: one.rows, pixels }
      }
    },
    validationNameOf: (index) => validation!.nameOf(index),
    async close() {
      await coming?.items.stop()
      await Promise.all([augmenting?.dispose(), trainedOn?.close(), validatedOn?.close()])
    },
  }
}

function partsOf({ data, validation, seed = 0 }: TrainOptions): {
  data: Dataset
  validation: Dataset | undefined
} {
  if (typeof validation !== 'number') return { data, validation }
  const { train, validation: held } = splitDataset(data, { validation, seed })
  return { data: train, validation: held }
}

/** @throws `INPUT_INVALID`, `OPTION_INVALID` */
function checkRows({ batch, objective }: TrainOptions, data: Dataset, validation: Dataset | undefined): void {
  if (!(data.length > 0)) {
    throw new PipiloError('INPUT_INVALID', `${data.name} has no rows to train on.`, { input: data.name })
  }
  if (batch !== undefined && batch > data.length) {
    throw new PipiloError(
      'OPTION_INVALID',
      `The batch is ${batch}, and there are ${data.length} rows to train on.`,
      { input: 'batch', hint: `At most ${data.length}.` },
    )
  }
  if (!validation) return
  const least = objective.leastBatch ?? 1
  if (validation.length < least) {
    throw new PipiloError(
      'INPUT_INVALID',
      `There are ${validation.length} rows to validate on; ${objective.name} needs at least ${least}.`,
      { input: 'validation' },
    )
  }
  if (data.classes && validation.classes && data.classes.join('\n') !== validation.classes.join('\n')) {
    throw new PipiloError(
      'INPUT_INVALID',
      `The classes to validate on are others than those to train on: ${validation.classes.join(', ')}.`,
      {
        input: 'validation',
        hint: 'Read them with the same classes: readDataset(path, { classes: data.classes! }).',
      },
    )
  }
}

function checkBatch(batch: number, data: Dataset | DatasetStream, { name, leastBatch = 1 }: Objective): void {
  if (batch >= leastBatch) return
  throw new PipiloError(
    'INPUT_INVALID',
    `${data.name} has ${batch} rows; ${name} needs batches of at least ${leastBatch}.`,
    {
      input: data.name,
    },
  )
}

/** The way in which batches are chosen for an objective. */
function samplerFor(
  objective: Objective,
  batch: number,
  data: Dataset,
): Pick<BatchOptions, 'sampler' | 'batch'> {
  if (objective.sampling === 'distinct') return { sampler: 'distinct' }
  if (objective.sampling !== 'classes') return {}
  const present = new Set(data.labels ?? []).size
  if (present < 2) {
    throw new PipiloError(
      'INPUT_INVALID',
      `${data.name} has ${present === 1 ? 'one class only' : 'no labels'}; ${objective.name} tells classes apart.`,
      {
        input: data.name,
        hint: 'Give it rows of two classes at least.',
      },
    )
  }
  checkClasses(data, objective)
  // A few rows of as many classes as there is room for; more of each where there are few classes.
  const samples = Math.max(
    2,
    Math.floor(batch / present),
    Math.min(8, Math.floor(batch / Math.min(present, 8))),
  )
  const classes = Math.max(2, Math.min(present, Math.floor(batch / samples)))
  return { sampler: { classes, samples, few: 'repeat' }, batch: classes * samples }
}

/** @throws `INPUT_INVALID` for a class of one row: nothing is like it */
function checkClasses({ labels, classes, name }: Dataset, { name: objective }: Objective): void {
  const counts = new Map<number, number>()
  for (const label of labels ?? []) counts.set(label, (counts.get(label) ?? 0) + 1)
  const lone = [...counts].find(([, count]) => count === 1)
  if (!lone) return
  throw new PipiloError(
    'INPUT_INVALID',
    `The class ${classes?.[lone[0]] ?? lone[0]} of ${name} has one row; ${objective} needs two of a class.`,
    { input: classes?.[lone[0]] ?? `${lone[0]}`, hint: 'Leave the class out, or add to it.' },
  )
}

function countSteps(sampler: Awaited<ReturnType<typeof samplerOf>>, data: Dataset, batch: number): number {
  const steps = sampler.length ?? Math.floor(data.length / batch)
  if (steps > 0) return steps
  throw new PipiloError(
    'INPUT_INVALID',
    `${data.name} has ${data.length} rows: too few for a batch of ${batch}.`,
    {
      input: data.name,
    },
  )
}

/** For texts that repeat so much that not one batch without repetition is full: an epoch of it would train nothing. */
function noBatch({ name, length }: Dataset, batch: number): PipiloError {
  return new PipiloError(
    'INPUT_INVALID',
    `No ${batch} of the ${length} rows of ${name} share no text: there is not one whole batch to train on.`,
    { input: 'batch', hint: 'Make the batch smaller.' },
  )
}

/** Size in which pictures are decoded before they are augmented: larger where crops are taken of them. */
function sourceSize({ image }: Network, { augment, decodeSize }: TrainOptions): readonly [number, number] {
  const size = image?.size ?? [1, 1]
  if (!augment || decodeSize === undefined) return size
  return typeof decodeSize === 'number' ? [decodeSize, decodeSize] : decodeSize
}

function decoderOf({ image }: Network, size: readonly [number, number]): PictureDecoder {
  const isOwn = size.join() === image!.size.join()
  return pictureDecoder({
    size,
    channels: image!.channels,
    crop: 'center',
    ...(isOwn && image!.preparation),
  })
}

async function openAugmenter(
  { augment, network }: TrainOptions,
  size: readonly [number, number],
  views: number,
): Promise<Augmenter | undefined> {
  if (!augment) return undefined
  if (!network.image) {
    throw new PipiloError('OPTION_INVALID', `${network.name} takes no pictures to augment.`, {
      input: 'augment',
    })
  }
  const made = augmentation(augment, { size, channels: network.image.channels, views })
  const wrong = made.sizes.find((each) => each.join() !== network.image!.size.join())
  if (wrong) {
    throw new PipiloError(
      'OPTION_INVALID',
      `The augmented pictures are ${wrong.join(' × ')}; ${network.name} takes ${network.image.size.join(' × ')}.`,
      { input: 'augment', hint: `End with a crop to ${network.image.size[0]}.` },
    )
  }
  return augmenter(made, { workers: 1 })
}

/** Results that are made one ahead of the one who takes them. */
interface Ahead<Out> extends AsyncIterable<Out> {
  /** Leaves the rest. */
  stop(): Promise<void>
}

/** Begins with the first item at once, and with each further one when the one before is taken. */
function ahead<In, Out>(items: AsyncIterable<In>, work: (item: In) => Promise<Out>): Ahead<Out> {
  const reading = items[Symbol.asyncIterator]()
  const make = () => {
    const made = reading
      .next()
      .then(async ({ done, value }) => (done ? undefined : { is: await work(value) }))
    // It is awaited in its turn; until then a failure is not unheard of.
    made.catch(() => {})
    return made
  }
  let pending = make()
  const stop = async () => {
    await pending.catch(() => {})
    await reading.return?.()
  }
  return {
    stop,
    async *[Symbol.asyncIterator]() {
      try {
        for (let made = await pending; made; made = await pending) {
          pending = make()
          yield made.is
        }
      } finally {
        await stop()
      }
    },
  }
}
