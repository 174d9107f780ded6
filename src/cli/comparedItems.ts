// Reads what is compared item by item: pictures, lines of text, and the text or image column of tables.
import { statSync } from 'node:fs'
import { PipiloError } from '../base/index.ts'
import { readDataset, readInputs } from '../embed/index.ts'
import type { InputModality, TowerModality } from '../models/index.ts'

/** A text or a picture, and its name. */
export interface ComparedItem {
  readonly id: string
  readonly input: string
  readonly modality: InputModality
}

/** An item, or why there is none. */
export interface ReadItem extends ComparedItem {
  readonly path?: string
  /** Found in a folder or by a glob, rather than named. */
  readonly found?: boolean
  readonly error?: PipiloError
}

/** Options of {@link comparedItems}. */
export interface ComparedItemsOptions {
  readonly as?: TowerModality | undefined
  readonly signal: AbortSignal
}

const TABLE = /\.(csv|tsv|jsonl|ndjson|parquet)$/i

/** The items of files, globs and folders. The lines of a table are none: its header and labels would be embedded with its texts. */
export async function* comparedItems(
  specs: readonly string[],
  { as, signal }: ComparedItemsOptions,
): AsyncGenerator<ReadItem> {
  for (const spec of specs) {
    if (TABLE.test(spec) && statSync(spec, { throwIfNoEntry: false })?.isFile()) {
      yield* tableItems({ path: spec }, as, signal)
      continue
    }
    const tables = new Set<string>()
    for await (const each of readInputs([spec], { by: 'line', ...(as && { as }), signal })) {
      const { id, input, modality, path, found, error } = each
      const about = { ...(path !== undefined && { path }), ...(found && { found }) }
      if (path === undefined || !TABLE.test(path)) {
        yield { id, input, modality, ...about, ...(error && { error }) }
        continue
      }
      if (tables.has(path)) continue
      tables.add(path)
      yield* tableItems({ ...about, path }, as, signal)
    }
  }
}

/** The items of a table; of one that cannot be read an error in their place. */
async function* tableItems(
  about: { readonly path: string; readonly found?: boolean },
  as: TowerModality | undefined,
  signal: AbortSignal,
): AsyncGenerator<ReadItem> {
  const { path } = about
  try {
    for await (const item of columnOf(path, as, signal)) yield { ...item, ...about }
  } catch (error) {
    if (!(error instanceof PipiloError) || error.code === 'ABORTED') throw error
    yield { id: path, input: path, modality: 'text', ...about, error }
  }
}

/** The texts or pictures of a table; rows that cannot be read come first, as errors. */
async function* columnOf(
  path: string,
  as: TowerModality | undefined,
  signal: AbortSignal,
): AsyncGenerator<ReadItem> {
  if (/\.parquet$/i.test(path)) return yield* parquetTexts(path, as, signal)
  const data = await readDataset(path, { onError: 'skip', signal })
  const modality = as ?? (data.columns.includes('text') ? 'text' : 'image')
  if (!data.columns.includes(modality)) {
    throw new PipiloError('INPUT_INVALID', `${path} has no column ${modality}.`, {
      input: path,
      hint: `It has ${data.columns.join(', ')}.`,
    })
  }
  for (const { name, error } of data.skipped) yield { id: name, input: name, modality, error }
  const rows = await data.getMany(Array.from({ length: data.length }, (_, i) => i))
  for (const [i, row] of rows.entries()) {
    const [id, input] = [data.nameOf(i), row[modality]]
    if (input !== undefined) yield { id, input: input as string, modality }
    else {
      const error = new PipiloError('INPUT_INVALID', `${id} has no ${modality}.`, { input: id })
      yield { id, input: id, modality, error }
    }
  }
}

/** Tokens of a passage that no text of a table reaches, so that a row is one item. */
const WHOLE = 2 ** 30

/** The column `text` of a Parquet file, which data sets are not read from. */
async function* parquetTexts(
  path: string,
  as: TowerModality | undefined,
  signal: AbortSignal,
): AsyncGenerator<ReadItem> {
  if (as === 'image') {
    throw new PipiloError('FORMAT_UNSUPPORTED', `${path} is a Parquet file, of which texts alone are read.`, {
      input: path,
      hint: 'Give the pictures as files, or their paths in the column image of a .csv or .jsonl file.',
    })
  }
  const options = { columns: ['text'], chunk: { tokens: WHOLE, overlap: 0 }, signal }
  for await (const { input, modality, line, error } of readInputs([path], options))
    yield { id: line === undefined ? path : `${path}:${line}`, input, modality, ...(error && { error }) }
}
