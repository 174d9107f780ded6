// Command `compare`: two models, layers or precisions on the same inputs.
import { PipiloError } from '../../base/index.ts'
import { type AnyInput, type Embedder, inputFor } from '../../embed/index.ts'
import { type Comparison, compareEmbeddings, similarityPlot } from '../../evaluate/index.ts'
import { command, numberOption, type Terminal, usageError } from '../command.ts'
import { type ComparedItem, comparedItems } from '../comparedItems.ts'
import { listOf } from '../lists.ts'
import {
  cosineArgs,
  embedderOptions,
  type ModelValues,
  openVectorEmbedder,
  promptArgs,
} from '../modelOptions.ts'
import { checkPlot, writeText } from '../output.ts'
import { megabytes, progress } from '../progress.ts'
import { LeftOut } from '../skipped.ts'
import { table } from '../table.ts'

/** Inputs whose cosines are drawn: more have no room for their names. */
const DRAWN = 40

/** Inputs from which cosines of pairs have a rank correlation. */
const LEAST = 3

const { model: _model, ...modelOptions } = cosineArgs

export const compareCommand = command({
  name: 'compare',
  description:
    'Compare two models, layers or precisions on the same inputs: neighbours kept, and where they disagree',
  examples: [
    'pipilo compare all-MiniLM-L6-v2 hf:BAAI/bge-small-en-v1.5 --data notes/',
    "pipilo compare mobilenet-v2 --data photos/ --tap 'block_6_expand_relu; block_13_project_BN'",
    "pipilo compare all-MiniLM-L6-v2 --data sentences.txt --dtype 'fp32; int8'",
  ],
  args: {
    models: {
      type: 'positional',
      required: true,
      description: 'Two models, or one with two of --tap, --dtype, --pool',
      valueHint: 'model',
    },
    data: {
      type: 'string',
      description: 'Files, globs or folders, with commas; of tables the text or image column',
      valueHint: 'paths',
    },
    ...modelOptions,
    tap: { ...cosineArgs.tap, description: 'Layer; two with a semicolon, one for each' },
    pool: { ...cosineArgs.pool, description: `${cosineArgs.pool.description}; two with a semicolon` },
    dtype: { ...cosineArgs.dtype, description: `${cosineArgs.dtype.description}; two with a semicolon` },
    ...promptArgs,
    k: {
      type: 'string',
      alias: 'k',
      description: 'Neighbours that are compared (default: 10)',
      valueHint: 'n',
    },
    show: {
      type: 'string',
      description: 'Inputs shown on which they disagree most (default: 10)',
      valueHint: 'n',
    },
    plot: {
      type: 'string',
      description: `Cosines of the first ${DRAWN} inputs by both, as an .svg file`,
      valueHint: 'file',
    },
    json: { type: 'boolean', description: 'All inputs and their neighbours as JSON' },
  },
  async run(args, terminal) {
    checkPlot(args)
    if (!args.data) throw usageError('Compare on what? Name files or folders with --data.')
    const k = numberOption(args.k, 'k') ?? 10
    const show = numberOption(args.show, 'show', 0) ?? 10
    const sides = sidesOf(args._, args)
    for (const side of sides) embedderOptions(side)
    const found = await inputsOf(listOf(args.data, ','), terminal)
    checkEnough(found.length, k)
    const [a, b] = [await embedded(sides[0], found, terminal), await embedded(sides[1], found, terminal)]
    const comparison = await compareEmbeddings(a.vectors, b.vectors, { k, signal: terminal.signal })
    const names = found.map(({ id }) => id)
    const sidesTold = [a, b].map(({ dimensions, cost }, i) => ({ label: sides[i]!.label, dimensions, cost }))
    if (args.plot !== undefined) {
      const panels = {
        [`a: ${sides[0].label}`]: a.vectors.slice(0, DRAWN),
        [`b: ${sides[1].label}`]: b.vectors.slice(0, DRAWN),
      }
      await writeText(args.plot, await similarityPlot(panels, { labels: names.slice(0, DRAWN) }))
    }
    await terminal.out(
      args.json
        ? `${asJson(comparison, found, sidesTold)}\n`
        : written(comparison, found, sidesTold, { k, show, width: terminal.width }),
    )
  },
})

type Side = ModelValues & { readonly label: string }

/** The options of each side. */
function sidesOf(models: readonly string[], args: ModelValues): readonly [Side, Side] {
  if (models.length > 2) throw usageError('pipilo compare takes two models.')
  const each = ['tap', 'pool', 'dtype'] as const
  const parts = Object.fromEntries(
    each.map((name) => [name, args[name] === undefined ? undefined : listOf(args[name], ';')]),
  ) as Readonly<Record<(typeof each)[number], string[] | undefined>>
  for (const name of each)
    if (![1, 2].includes(parts[name]?.length ?? 1)) throw usageError(`--${name} takes one value, or two.`)
  const side = (i: number): Side => {
    const chosen = Object.fromEntries(
      each.flatMap((name) => {
        const value = parts[name]?.[i] ?? parts[name]?.[0]
        return value === undefined ? [] : [[name, value]]
      }),
    ) as Partial<Record<(typeof each)[number], string>>
    const model = models[i] ?? models[0]!
    return { ...args, ...chosen, model, label: [model, ...Object.values(chosen)].join(' ') }
  }
  const sides = [side(0), side(1)] as const
  if (sides[0].label !== sides[1].label) return sides
  throw usageError(
    'Both sides are the same.',
    'Name two models, or two of --tap, --pool or --dtype with a semicolon.',
  )
}

async function inputsOf(specs: readonly string[], terminal: Terminal): Promise<ComparedItem[]> {
  const found: ComparedItem[] = []
  const left = new LeftOut(false)
  for await (const each of comparedItems(specs, terminal)) {
    const { id, input, modality, error } = each
    if (error) left.add(each, error)
    else found.push({ id, input, modality })
  }
  left.report(terminal)
  return found
}

/** Refuses too few inputs before a model is opened, rather than after both have embedded them. */
function checkEnough(count: number, k: number): void {
  if (count === 0) throw new PipiloError('INPUT_INVALID', 'There is nothing to compare.', { input: 'data' })
  if (count < LEAST) {
    throw new PipiloError('INPUT_INVALID', `A comparison takes ${LEAST} inputs or more, not ${count}.`, {
      input: 'data',
    })
  }
  if (count > k) return
  throw new PipiloError('INPUT_INVALID', `${count} inputs have no ${k} neighbours each.`, {
    input: 'k',
    hint: `Compare fewer neighbours: -k ${count - 1} at most.`,
  })
}

/** The vectors of a side, and what they cost. */
interface Embedded {
  readonly vectors: Float32Array[]
  readonly dimensions: number
  readonly cost: { readonly perSecond: number; readonly bytesPerVector: number; readonly memory: number }
}

async function embedded(side: Side, inputs: readonly ComparedItem[], terminal: Terminal): Promise<Embedded> {
  const { modality } = inputs[0]!
  const embedder = (await openVectorEmbedder(side, terminal, { modality })) as Embedder<
    Float32Array,
    AnyInput
  >
  const bar = progress(terminal, side.label)
  const start = performance.now()
  let memory = 0
  try {
    const { vectors } = await embedder.embed(
      inputs.map(({ input, modality }) => inputFor(embedder, { input, modality })),
      {
        signal: terminal.signal,
        onProgress: ({ done, total }) => {
          memory = Math.max(memory, process.memoryUsage.rss())
          bar.update(done, total)
        },
      },
    )
    const seconds = (performance.now() - start) / 1000
    const { dimensions } = embedder
    const cost = { perSecond: inputs.length / seconds, bytesPerVector: 4 * dimensions, memory }
    return { vectors, dimensions, cost }
  } finally {
    bar.clear()
    await embedder.dispose()
  }
}

type Told = Pick<Embedded, 'dimensions' | 'cost'> & { readonly label: string }

function asJson(
  { inputs, ...rest }: Comparison,
  items: readonly ComparedItem[],
  [a, b]: readonly Told[],
): string {
  const named = (list: readonly number[]) => list.map((index) => items[index]!.id)
  return JSON.stringify({
    a,
    b,
    ...rest,
    inputs: inputs.map(({ index, kept, a, b }) => {
      const { id, input } = items[index]!
      return { id, input, kept, a: named(a), b: named(b) }
    }),
  })
}

interface Shown {
  readonly k: number
  readonly show: number
  /** Columns of the terminal. */
  readonly width: number
}

function written(
  { kept, nearest, correlation, inputs }: Comparison,
  items: readonly ComparedItem[],
  sides: readonly Told[],
  { k, show, width }: Shown,
): string {
  const share = (value: number) => `${(100 * value).toFixed(1)} %`
  const lines = [
    ...sides.map(
      ({ label, dimensions, cost }, i) =>
        `${'ab'[i]}: ${label}: ${dimensions} numbers, ${cost.bytesPerVector} B a vector, ${cost.perSecond.toFixed(0)}/s, ${megabytes(cost.memory)}`,
    ),
    `${inputs.length} inputs: ${share(kept)} of the ${k} nearest neighbours kept, ${share(nearest)} of the nearest; rank correlation of cosines ${correlation.toFixed(4)}`,
  ]
  // A row for each of the three: side by side, texts would have a third of the width.
  const rows = inputs.slice(0, show).flatMap(({ index, kept: own, a, b }) => [
    [share(own), '', told(items[index]!)],
    ['', 'a', told(items[a[0]!]!)],
    ['', 'b', told(items[b[0]!]!)],
  ])
  if (rows.length === 0) return `${lines.join('\n')}\n`
  const columns = [
    { heading: 'kept', align: 'right' as const },
    { heading: 'by' },
    { heading: 'input and its nearest by each', limit: Math.max(20, width - BESIDE) },
  ]
  return `${lines.join('\n')}\n\n${table(columns, rows)}\n`
}

/** Columns of the terminal that `kept` and `by` take, with the gaps: `100.0 %  by  `. */
const BESIDE = 13

/** A text with its place; a picture by its path alone, where that is its name. */
const told = ({ id, input, modality }: ComparedItem): string =>
  modality === 'image' && input.endsWith(id) ? id : `${id}: ${input}`
