/** Checks of the options of `train`, before anything is read or written. */
import { checkOptions as check, is, type OptionTable, PipiloError } from '../base/index.ts'
import { updatesOf } from '../graph/index.ts'
import { devices } from '../runtime/index.ts'
import { checkedSides } from './augmentations/checks.ts'
import type { EarlyStopping, MetricsOptions, TrainOptions } from './options.ts'
import type { TrainingStep } from './step.ts'

const trainTypes: OptionTable<TrainOptions> = {
  network: is.any,
  objective: is.any,
  data: is.any,
  validation: is.any,
  batch: is.any,
  epochs: is.any,
  optimizer: is.any,
  schedule: is.any,
  clip: is.any,
  groups: is.any,
  accumulate: is.any,
  average: is.any,
  freeze: is.listOf(is.either(is.name, is.instance('a pattern', 'test'))),
  recompute: is.listOf(is.instance('a pattern', 'test')),
  augment: is.any,
  decodeSize: is.any,
  seed: is.any,
  out: is.name,
  checkpoint: is.any,
  snapshots: is.any,
  resume: is.flag,
  signal: is.abortSignal,
  onProgress: is.callback,
  metrics: is.parts<MetricsOptions>({ every: is.count(1), compute: is.callback }),
  earlyStopping: is.parts<EarlyStopping>({
    metric: is.name,
    mode: is.oneOf(['min', 'max']),
    patience: is.any,
  }),
  logEvery: is.any,
  device: is.oneOf(devices),
  threads: is.count(1),
}

/** Options of a file in JavaScript, which no compiler has looked at. @throws `OPTION_INVALID` */
function checkParts(options: TrainOptions): void {
  check<TrainOptions>('train', options, trainTypes)
  const isDataset = (given: unknown) => typeof given === 'object' && given !== null && 'getMany' in given
  const { network, objective, data, validation, metrics } = options ?? {}
  const wrong = (name: string, hint: string) =>
    new PipiloError('OPTION_INVALID', `${name} is none that train takes.`, { input: name, hint })
  if (!network?.inference)
    throw wrong('network', "Make one: freshNetwork('resnet20_cifar'), openedNetwork('all-MiniLM-L6-v2').")
  if (typeof objective?.build !== 'function')
    throw wrong('objective', 'Choose one: classification(), simClr(), ….')
  if (metrics && typeof metrics.compute !== 'function')
    throw wrong('metrics', 'Give what computes them: metrics: { compute: async () => ({ name: 0.5 }) }.')
  if (!isDataset(data)) throw wrong('data', "Read it: await readDataset('folder').")
  if (validation === undefined || typeof validation === 'number' || isDataset(validation)) return
  throw wrong('validation', 'Give a share of the data, such as 0.1, or a data set.')
}

/** @throws `OPTION_INVALID` */
export function checkOptions(options: TrainOptions): void {
  checkParts(options)
  const whole = (
    name: 'batch' | 'epochs' | 'accumulate' | 'checkpoint' | 'snapshots' | 'logEvery' | 'seed',
    least: number,
  ) => {
    const value = options[name]
    if (value === undefined || (Number.isSafeInteger(value) && value >= least)) return
    throw new PipiloError(
      'OPTION_INVALID',
      `${name} is ${value}; it has to be an integer of at least ${least}.`,
      {
        input: name,
      },
    )
  }
  whole('batch', 1)
  whole('epochs', 1)
  whole('accumulate', 1)
  whole('checkpoint', 0)
  whole('snapshots', 1)
  whole('logEvery', 1)
  whole('seed', 0)
  const { batch, objective, resume, out, decodeSize } = options
  if (decodeSize !== undefined) checkedSides('decodeSize', decodeSize)
  if (batch !== undefined && batch < (objective.leastBatch ?? 1)) {
    throw new PipiloError(
      'OPTION_INVALID',
      `A batch of ${batch} is too small for ${objective.name}, which compares the rows of a batch.`,
      { input: 'batch', hint: `At least ${objective.leastBatch}.` },
    )
  }
  if (options.snapshots !== undefined && (out === undefined || !options.network.write)) {
    throw new PipiloError(
      'OPTION_INVALID',
      out === undefined ? 'There is no folder for snapshots.' : 'This network is not written as a model.',
      {
        input: 'snapshots',
        ...(out === undefined && { hint: "Name the run's folder: out: './runs/mine'." }),
      },
    )
  }
  if (resume && out === undefined) {
    throw new PipiloError('OPTION_INVALID', 'There is no folder to resume from.', {
      input: 'resume',
      hint: "Name the run's folder: out: './runs/mine'.",
    })
  }
}

/** Changes of the weights in so many batches. @throws `OPTION_INVALID` where there would be none */
export function changesOf(batches: number, { accumulate = 1 }: TrainOptions): number {
  if (batches >= accumulate) return Math.floor(batches / accumulate)
  throw new PipiloError(
    'OPTION_INVALID',
    `accumulate is ${accumulate}, and the run has ${batches} batches: no weight would ever change.`,
    { input: 'accumulate', hint: 'Accumulate over fewer batches, or train for more epochs.' },
  )
}

/** @throws `INPUT_INVALID` for data that lacks a column that the objective asks for */
export function checkColumns({ data, validation, objective }: TrainOptions, { feeds }: TrainingStep): void {
  for (const feed of feeds.values()) {
    const column = feed.kind === 'pixels' ? 'image' : 'column' in feed ? feed.column : undefined
    if (column !== undefined && column === objective.derived?.name) continue
    for (const each of [data, validation]) {
      if (column === undefined || typeof each !== 'object' || each.columns.some((name) => name === column))
        continue
      throw new PipiloError(
        'INPUT_INVALID',
        `${each.name} has no column ${column}; ${objective.name} needs it.`,
        {
          input: each.name,
          hint: `Its columns are ${each.columns.join(', ')}.`,
        },
      )
    }
  }
}

/**
 * Refuses early stopping by a number that no epoch will end with, before the first of them.
 *
 * @throws `OPTION_INVALID`
 */
export function checkWatched({ earlyStopping, metrics, validation }: TrainOptions, step: TrainingStep): void {
  if (!earlyStopping) return
  const { metric = 'validation_loss', patience, mode } = earlyStopping
  if (
    !(Number.isSafeInteger(patience) && patience >= 1) ||
    !(mode === undefined || ['min', 'max'].includes(mode))
  ) {
    throw new PipiloError(
      'OPTION_INVALID',
      'Early stopping takes a patience of at least one epoch, and min or max as its mode.',
      { input: 'earlyStopping' },
    )
  }
  // The caller's own numbers have names that only he knows.
  if (metrics && metrics.every === undefined) return
  const updates = new Set(updatesOf(step.forward).values())
  const validated = step.forward.outputs.flatMap(({ name }) =>
    updates.has(name) ? [] : [`validation_${name}`],
  )
  const known = [...step.metrics, ...(validation === undefined ? [] : validated)]
  if (known.includes(metric)) return
  throw new PipiloError('OPTION_INVALID', `Early stopping watches ${metric}, which no epoch ends with.`, {
    input: 'earlyStopping',
    hint: validated.includes(metric)
      ? 'Give it validation data: validation: 0.1.'
      : `Epochs end with ${known.join(', ')}.`,
  })
}
