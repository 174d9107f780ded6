// Types of data sets: rows of known columns, at random or in order.
import type { PipiloError } from '../../../base/index.ts'
import type { Input } from '../../types.ts'

/** A row of a data set: of these columns, those that its source has. */
export interface DatasetRow {
  /** The row's name in its source. */
  readonly id?: string
  readonly title?: string
  readonly text?: string
  /** Two texts whose likeness `score` says. */
  readonly sentence1?: string
  readonly sentence2?: string
  readonly score?: number
  /** A text, one that belongs to it, and one that does not. */
  readonly anchor?: string
  readonly positive?: string
  readonly negative?: string
  /** A path (absolute where it was relative to a file), an address, bytes or pixels. */
  readonly image?: Input
  /** Index of the class, from 0. */
  readonly label?: number
}

/** Name of a column that Pipilo knows. */
export type ColumnName = keyof DatasetRow

/** A row that was left out with `onError: 'skip'`. */
export interface SkippedRow {
  /** Its file and line, or its path. */
  readonly name: string
  readonly error: PipiloError
}

/** All that data sets have in common. */
interface RowSource extends AsyncIterable<DatasetRow> {
  /** Its source, for errors and reports. */
  readonly name: string
  /** In the order of {@link DatasetRow}; every row has all of them. */
  readonly columns: readonly ColumnName[]
  /** Names of the classes, where rows have a `label`: `classes[label]`. */
  readonly classes?: readonly string[]
}

/**
 * Rows that can be read at random and several times.
 *
 * @example
 * ```ts
 * const data = await readDataset('train.csv')
 * const { text, label } = await data.get(17)
 * for await (const row of data) …      // in order
 * ```
 */
export interface Dataset extends RowSource {
  readonly length: number
  /** Label of every row, where rows have one: known without reading them again. */
  readonly labels?: Int32Array
  /** Rows that were left out with `onError: 'skip'`, in order. */
  readonly skipped: readonly SkippedRow[]
  /** @throws `INPUT_INVALID` if there is no such row, `CHECKSUM_MISMATCH` if its file has changed since it was opened */
  get(index: number): Promise<DatasetRow>
  /** Several rows, in the order of the indices; faster than one by one. */
  getMany(indices: ArrayLike<number>): Promise<DatasetRow[]>
  /** A row's name for errors: its file and line, or its path. */
  nameOf(index: number): string
  /**
   * SHA-256 of the content, in hexadecimal: of the file with the rows, and of all pictures on this machine that they name. It reads those
   * when it is first called.
   */
  hash(): Promise<string>
}

/** Rows that come one after the other, perhaps once only. {@link collectDataset} makes a {@link Dataset} of them. */
export interface DatasetStream extends RowSource {
  readonly length?: undefined
}

/** Form of a source. `tsv`: no quotes, as its media type says; `idx`: the files of MNIST. */
export type DatasetFormat = 'csv' | 'tsv' | 'jsonl' | 'images' | 'idx' | 'beir'

/** Options of {@link readDataset}. */
export interface ReadDatasetOptions {
  /** Default: told from the name of a file, or the content of a folder. */
  readonly format?: DatasetFormat
  /** Names that columns have in the source, where they are others: `{ text: 'body' }`. */
  readonly columns?: Partial<Readonly<Record<ColumnName, string>>>
  /** Columns that have to be there. Default: any that are known. */
  readonly requires?: readonly ColumnName[]
  /**
   * Names of the classes in the order of their indices, so that several sources have the same; another label is an error. Default: the
   * labels that are there, in sorted order, or for integers `0` to the largest.
   */
  readonly classes?: readonly string[]
  /** `names`: labels that look like integers are names, too. Default `integers`: if all of them do, they stay the numbers that they are. */
  readonly labels?: 'integers' | 'names'
  /** `skip`: rows that cannot be read are left out and stand in `skipped`. Default `throw`. */
  readonly onError?: 'throw' | 'skip'
  /** Part of a source that has several: `train`, `test`, … Default `train`. */
  readonly split?: string
  /** Folder that paths are relative to. Default: the working directory. */
  readonly cwd?: string
  readonly signal?: AbortSignal
}
