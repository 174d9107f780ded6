// Options of reading inputs from files, and their types.
import { is, type OptionTable } from '../../base/index.ts'
import type { InputModality } from '../../models/index.ts'
import { passageChunk, promptType } from '../checkOptions.ts'
import type { ChunkOptions, Prompt } from '../types.ts'
import type { Measured } from './passages/length.ts'

/** Ways to take a text file apart. */
export type ReadBy = 'passage' | 'line'

export interface ReadInputsOptions {
  /** Takes every file for text, for a picture, or for an array of numbers (`.npy`). Default: decided by its content. */
  readonly as?: InputModality
  /**
   * Parts of a text file that are inputs: passages (paragraphs under their headings, functions of code, rows of tables), or the
   * lines of plain text as they are. Default `passage`; standard input is always read by line.
   */
  readonly by?: ReadBy
  /** The embedder that the inputs are for: passages are as long as it reads, by its tokenizer. Default: 3 bytes count as a token. */
  readonly embedder?: Measured
  /** Tokens of a passage, and those that neighbours share where a paragraph is cut. Default: the embedder's `chunk`, else the model's limit, but no more than 128, of code all of it, and 32. */
  readonly chunk?: Pick<ChunkOptions, 'tokens' | 'overlap'>
  /** Prompt that will stand before each passage and takes of its length. Default: the embedder's. */
  readonly prompt?: Prompt
  /** Columns of CSV, JSON lines and Parquet files that are embedded. Default: `title` and `text` where there is a `text`, else all, with their names. */
  readonly columns?: readonly string[]
  /** Encoding of text files that are not UTF-8 and have no mark (BOM), such as `latin1`. Default: they are errors. */
  readonly encoding?: string
  /** Folder that paths are relative to. Default: the working directory. */
  readonly cwd?: string
  /** Folder that ids are relative to; files outside it have their whole path. Default: `cwd`. */
  readonly root?: string
  /** Source of the lines of `-`. Default: standard input. */
  readonly stdin?: AsyncIterable<Uint8Array | string>
  readonly signal?: AbortSignal
}

/** Types of {@link ReadInputsOptions}. */
export const readInputsOptionTypes: OptionTable<ReadInputsOptions> = {
  as: is.oneOf(['text', 'image', 'tensor']),
  by: is.oneOf(['passage', 'line']),
  embedder: is.instance('an embedder', 'recipe'),
  chunk: passageChunk,
  prompt: promptType,
  columns: is.names,
  encoding: is.name,
  cwd: is.text,
  root: is.text,
  stdin: is.instance('a stream'),
  signal: is.abortSignal,
}
