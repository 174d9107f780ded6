// Command `duplicates`: groups of near-identical texts or pictures.
import { dirname, resolve } from 'node:path'
import { PipiloError } from '../../base/index.ts'
import {
  type AnyInput,
  type Embedder,
  inputFor,
  isOfFile,
  readDataset,
  refuseModality,
} from '../../embed/index.ts'
import {
  type Duplicates,
  duplicates,
  duplicatesPage,
  duplicateThreshold,
  type LabelledPair,
  type Threshold,
} from '../../evaluate/index.ts'
import type { InputModality, TowerModality } from '../../models/index.ts'
import { command, numberOption, type Terminal, usageError } from '../command.ts'
import { type ComparedItem, comparedItems } from '../comparedItems.ts'
import {
  as,
  cosineArgs,
  embedderOptions,
  onError,
  oneOf,
  openVectorEmbedder,
  promptArgs,
} from '../modelOptions.ts'
import { csv, writeText } from '../output.ts'
import { megabytes, progress } from '../progress.ts'
import { reportSkipped, type Skipped } from '../skipped.ts'
import { table } from '../table.ts'

export const duplicatesCommand = command({
  name: 'duplicates',
  description: 'Find groups of near-identical texts or pictures',
  examples: [
    'pipilo duplicates photos/',
    'pipilo duplicates photos/ --out duplicates.html',
    "pipilo duplicates 'notes/**/*.txt' --threshold 0.95",
    'pipilo duplicates reviews.csv --pairs labelled.csv --json',
  ],
  args: {
    inputs: {
      type: 'positional',
      required: false,
      description: 'Files, globs, folders; the text or image column of a .csv or .jsonl file; - for lines',
      valueHint: '…',
    },
    as,
    ...cosineArgs,
    ...promptArgs,
    threshold: {
      type: 'string',
      description: 'Cosine from which two are near-identical (default: the card’s, where it was measured)',
      valueHint: 'cosine',
    },
    pairs: {
      type: 'string',
      description:
        'Labelled pairs that choose the threshold: sentence1,sentence2,score in a file, texts or paths, score 1 for duplicates and 0 for others',
      valueHint: 'file',
    },
    show: { type: 'string', description: 'Groups shown (default: 50)', valueHint: 'n' },
    out: {
      type: 'string',
      alias: 'o',
      description: 'All groups as an .html page with thumbnails or texts, .csv or .json',
      valueHint: 'file',
    },
    'on-error': onError,
    json: { type: 'boolean', description: 'All groups as JSON on standard output' },
  },
  async run(args, terminal) {
    if (!args._.length) throw usageError('Duplicates among what?', 'See pipilo duplicates --help.')
    if (args.threshold !== undefined && args.pairs !== undefined)
      throw usageError('--threshold and --pairs contradict each other.')
    if (args.out !== undefined && !/\.(html|csv|json)$/i.test(args.out))
      throw usageError(`--out ends in .html, .csv or .json; ${JSON.stringify(args.out)} does not.`)
    const wanted = oneOf<TowerModality>(args.as, 'as', ['text', 'image'])
    const skip = oneOf(args['on-error'], 'on-error', ['throw', 'skip']) === 'skip'
    const show = numberOption(args.show, 'show', 0) ?? 50
    const threshold = cosineOption(args.threshold)
    embedderOptions(args)
    const { items, skipped } = await itemsOf(args._, wanted, skip, terminal)
    const modality = items[0]?.modality
    if (!modality) throw new PipiloError('INPUT_INVALID', 'There is nothing to compare.', { input: 'inputs' })
    const embedder = (await openVectorEmbedder(args, terminal, { modality })) as Embedder<
      Float32Array,
      AnyInput
    >
    const bar = progress(terminal, 'embedding')
    try {
      for (const item of items) {
        const refused = refuseModality(embedder, item, 'Look for duplicates among one kind at a time.')
        if (refused) throw refused
      }
      const inputs = items.map((item) => inputFor(embedder, item))
      const chosen =
        args.pairs === undefined
          ? undefined
          : await duplicateThreshold(embedder, await pairsOf(args.pairs, embedder, modality), {
              signal: terminal.signal,
            })
      const from = threshold ?? chosen?.threshold
      const found = await duplicates(embedder, inputs, {
        ...(from !== undefined && { threshold: from }),
        onError: skip ? 'skip' : 'throw',
        signal: terminal.signal,
        onProgress: ({ done, total }) => bar.update(done, total),
      })
      bar.clear()
      const names = items.map(({ id }) => id)
      const plain = { ...named(found, names), ...(chosen && { pairs: chosen }) }
      if (args.out !== undefined) {
        const given = { inputs, names, modality: embedder.modality }
        const text = /\.html$/i.test(args.out)
          ? await duplicatesPage(found, given, { signal: terminal.signal })
          : /\.csv$/i.test(args.out)
            ? asCsv(plain)
            : `${JSON.stringify(plain)}\n`
        await writeText(args.out, text)
      }
      await terminal.out(
        args.json ? `${JSON.stringify(plain)}\n` : written(plain, embedder, { show, chosen, items }),
      )
      reportSkipped(
        [
          ...skipped,
          ...found.skipped.map(({ index, error }) => ({ id: names[index]!, reason: error.message })),
        ],
        terminal,
      )
    } finally {
      bar.clear()
      await embedder.dispose()
    }
  },
})

async function itemsOf(
  specs: readonly string[],
  as: TowerModality | undefined,
  skip: boolean,
  { signal }: Terminal,
): Promise<{ items: ComparedItem[]; skipped: Skipped[] }> {
  const items: ComparedItem[] = []
  const skipped: Skipped[] = []
  for await (const { id, input, modality, error, found } of comparedItems(specs, { as, signal })) {
    if (!error) items.push({ id, input, modality })
    else if (skip || (found && (isOfFile(error) || error.code === 'INPUT_INVALID')))
      skipped.push({ id, reason: error.message })
    else throw error
  }
  return { items, skipped }
}

/** Labelled pairs of a file; those of pictures are paths beside it. */
async function pairsOf(
  path: string,
  embedder: Embedder<Float32Array, AnyInput>,
  modality: InputModality,
): Promise<LabelledPair[]> {
  const data = await readDataset(path, { requires: ['sentence1', 'sentence2', 'score'] })
  const rows = await data.getMany(Array.from({ length: data.length }, (_, i) => i))
  const inputOf = (text: string) =>
    inputFor(embedder, { input: modality === 'image' ? resolve(dirname(path), text) : text, modality })
  return rows.map(({ sentence1, sentence2, score }, i) => {
    if (score !== 0 && score !== 1) {
      throw new PipiloError('INPUT_INVALID', `${data.nameOf(i)} has the score ${score}; pairs have 1 or 0.`, {
        input: i,
        hint: '1 says that the two are duplicates, 0 that they are not.',
      })
    }
    return { a: inputOf(sentence1!), b: inputOf(sentence2!), duplicate: score === 1 }
  })
}

function cosineOption(value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const number = Number(value)
  if (value.trim() !== '' && number > -1 && number <= 1) return number
  throw usageError(`--threshold is a cosine of at most 1, not ${JSON.stringify(value)}.`)
}

type Named = ReturnType<typeof named>

function named({ groups, skipped, ...rest }: Duplicates, names: readonly string[]) {
  return {
    ...rest,
    groups: groups.map(({ members }) =>
      members.map(({ index, similarity, exact }) => ({ id: names[index]!, index, similarity, exact })),
    ),
    skipped: skipped.map(({ index, error }) => ({ id: names[index]!, reason: error.message })),
  }
}

function asCsv({ groups }: Named): string {
  const rows = groups.flatMap((members, group) =>
    members.map(({ id, similarity, exact }) => [`${group + 1}`, id, similarity.toFixed(6), `${exact}`]),
  )
  return csv([['group', 'id', 'similarity', 'exact'], ...rows])
}

function written(
  { groups, redundant, threshold, cost }: Named,
  { name, tap, dimensions }: Embedder<Float32Array, AnyInput>,
  {
    show,
    chosen,
    items,
  }: {
    readonly show: number
    readonly chosen: Threshold | undefined
    readonly items: readonly ComparedItem[]
  },
): string {
  const rows = groups.slice(0, show).flatMap((members, group) =>
    members.map(({ id, similarity, exact, index }, place) => {
      const { input, modality } = items[index]!
      return [
        place === 0 ? `${group + 1}` : '',
        place === 0 ? '' : exact ? 'exact' : similarity.toFixed(4),
        modality === 'text' ? `${id}: ${input}` : id,
      ]
    }),
  )
  const columns = [
    { heading: 'group', align: 'right' as const },
    { heading: 'similarity', align: 'right' as const },
    { heading: 'input' },
  ]
  const rest = groups.length > show ? `and ${groups.length - show} more groups (--json has them all)\n` : ''
  const listed = rows.length > 0 ? `${table(columns, rows)}\n${rest}` : ''
  const by = chosen
    ? ` of the labelled pairs (F1 ${chosen.f1.toFixed(3)}, precision ${chosen.precision.toFixed(3)}, recall ${chosen.recall.toFixed(3)})`
    : ''
  const share = cost.perSecond.toFixed(0)
  return `${listed}${items.length} inputs: ${groups.length} groups, ${redundant} inputs could be dropped; threshold ${threshold.toFixed(4)}${by}
${name} ${tap}: ${dimensions} numbers, ${cost.bytesPerVector} B a vector, ${share}/s, ${megabytes(cost.memory)}
`
}
