// Data sets of rows in memory, and of rows that come one after the other.
import { breathe, PipiloError, throwIfAborted } from '../../../base/index.ts'
import { type Columns, columnNames, findColumns, invalid, readRow, type UnlabelledRow } from './columns.ts'
import { datasetOf, hashOfRows } from './dataset.ts'
import { LabelCollector, streamedLabels } from './labels.ts'
import type { Dataset, DatasetRow, DatasetStream, ReadDatasetOptions, SkippedRow } from './types.ts'

/** A row as a program has it: an object with values by name. */
export type RowObject = object

/** Rows one after the other, or a function that gives them anew for every pass. */
export type RowIterable =
  | Iterable<RowObject>
  | AsyncIterable<RowObject>
  | (() => Iterable<RowObject> | AsyncIterable<RowObject>)

const reader = { textual: false, place: (image: string) => image }

/** A data set of rows that are in memory; they are checked at once. */
export async function rowsDataset(
  rows: readonly RowObject[],
  options: ReadDatasetOptions,
  name = 'the rows',
): Promise<Dataset> {
  if (rows.length === 0) throw noRows()
  const columns = columnsOf(rows[0]!, options)
  const labels = new LabelCollector(options)
  const kept: UnlabelledRow[] = []
  const places: number[] = []
  const skipped: SkippedRow[] = []
  for (const [i, each] of rows.entries()) {
    await breathe()
    try {
      const { label, ...row } = rowOf(each, columns, i)
      if (label !== undefined) labels.add(label, whereOf(i))
      kept.push(row)
      places.push(i)
    } catch (error) {
      if (options.onError !== 'skip' || !(error instanceof PipiloError)) throw error
      skipped.push({ name: `row ${i}`, error })
    }
  }
  if (kept.length === 0) throw noRows(skipped[0]?.error)
  return datasetOf({
    name,
    columns: [...columns.keys()],
    length: kept.length,
    ...(columns.has('label') && { labels: labels.finish(false) }),
    skipped,
    nameOf: (index) => `row ${places[index]}`,
    read: async (indices) => Array.from(indices, (index) => kept[index] as DatasetRow),
    hash: hashOfRows,
  })
}

const whereOf = (index: number): string => `Row ${index}`

const noRows = (cause?: PipiloError): PipiloError =>
  new PipiloError('INPUT_INVALID', `There are no rows${cause ? ' that can be read' : ''}.`, { cause })

function columnsOf(first: RowObject, options: ReadDatasetOptions): Columns {
  if (!isRow(first)) throw invalid(whereOf(0), 'is no object')
  return findColumns(Object.keys(first), options, 'the first row')
}

const isRow = (row: unknown): row is RowObject =>
  typeof row === 'object' && row !== null && !Array.isArray(row) && !(row instanceof Uint8Array)

function rowOf(row: RowObject, columns: Columns, index: number): UnlabelledRow {
  const where = whereOf(index)
  if (!isRow(row)) throw invalid(where, 'is no object')
  const values = new Map(Object.entries(row))
  return readRow((name) => values.get(name), columns, reader, where)
}

/**
 * A stream of rows. The first row is read to know the columns, and comes again as the first.
 *
 * @remarks
 * Of an iterator that gives its rows once, there is one pass; a function, or an object that iterates anew, gives as many as are asked for.
 */
export async function rowStream(source: RowIterable, options: ReadDatasetOptions): Promise<DatasetStream> {
  const open = () => iteratorOf(typeof source === 'function' ? source() : source)
  let opened: AsyncIterator<RowObject> | undefined = open()
  const isOnce = typeof source !== 'function' && isIterator(source)
  const first = await opened.next()
  if (first.done) throw noRows()
  const columns = columnsOf(first.value, options)
  const indexOf = streamedLabels(options.classes)
  const rows = async function* (): AsyncGenerator<DatasetRow> {
    if (!opened && isOnce) {
      throw readBefore()
    }
    const iterator = opened ?? open()
    let next = opened ? first : await iterator.next()
    opened = undefined
    // A source that was read to its end begins anew with a row, or not at all.
    if (next.done) throw readBefore()
    try {
      for (let index = 0; !next.done; index++, next = await iterator.next()) {
        throwIfAborted(options.signal)
        const { label, ...row } = rowOf(next.value, columns, index)
        yield label === undefined ? row : { ...row, label: indexOf(label, whereOf(index)) }
      }
    } finally {
      await iterator.return?.()
    }
  }
  return {
    name: 'the rows',
    columns: columnNames.filter((name) => columns.has(name)),
    ...(options.classes && { classes: options.classes }),
    [Symbol.asyncIterator]: rows,
  }
}

const readBefore = (): PipiloError =>
  new PipiloError('INPUT_INVALID', 'These rows were read already, and come once only.', {
    hint: 'Give a function that begins anew, or collect them first: collectDataset.',
  })

const iteratorOf = (rows: Iterable<RowObject> | AsyncIterable<RowObject>): AsyncIterator<RowObject> =>
  (async function* () {
    yield* rows
  })()

/** True for an iterator, whose iteration goes on where the last one stopped. */
function isIterator(rows: Iterable<RowObject> | AsyncIterable<RowObject>): boolean {
  return 'next' in rows && typeof rows.next === 'function'
}
