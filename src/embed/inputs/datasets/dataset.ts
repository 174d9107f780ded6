// Makes data sets from a function that reads rows by their indices.
import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { fileError } from '../../../base/files/index.ts'
import { breathe, PipiloError } from '../../../base/index.ts'
import type { Input } from '../../types.ts'
import type { Labels } from './labels.ts'
import type { ColumnName, Dataset, DatasetRow, SkippedRow } from './types.ts'

/** Parts of a {@link Dataset}. */
export interface DatasetParts {
  readonly name: string
  readonly columns: readonly ColumnName[]
  readonly length: number
  readonly labels?: Labels
  readonly skipped?: readonly SkippedRow[]
  readonly nameOf: (index: number) => string
  /** Reads rows that are there; a label is put in by {@link datasetOf}. */
  readonly read: (indices: ArrayLike<number>) => Promise<DatasetRow[]>
  /** @param rows all rows in order */
  readonly hash: (rows: AsyncIterable<DatasetRow>) => Promise<string>
}

/** Rows that are read at a time when all are. */
const WINDOW = 256

/** A data set from its parts: indices are checked, labels put in, and the hash is made once. */
export function datasetOf(parts: DatasetParts): Dataset {
  const { name, length, labels, skipped = [], nameOf } = parts
  const getMany = async (indices: ArrayLike<number>): Promise<DatasetRow[]> => {
    for (let at = 0; at < indices.length; at++) checkIndex(indices[at]!, length, name)
    const rows = await parts.read(indices)
    return labels ? rows.map((row, at) => ({ ...row, label: labels.labels[indices[at]!]! })) : rows
  }
  const rows = async function* (): AsyncGenerator<DatasetRow> {
    for (let start = 0; start < length; start += WINDOW) {
      const count = Math.min(WINDOW, length - start)
      yield* await getMany(Array.from({ length: count }, (_, i) => start + i))
    }
  }
  let hash: Promise<string> | undefined
  return {
    name,
    columns: parts.columns,
    length,
    ...(labels && { labels: labels.labels, classes: labels.classes }),
    skipped,
    getMany,
    get: async (index) => (await getMany([index]))[0]!,
    nameOf: (index) => {
      checkIndex(index, length, name)
      return nameOf(index)
    },
    hash: () => {
      hash ??= parts.hash(rows())
      return hash
    },
    [Symbol.asyncIterator]: rows,
  }
}

function checkIndex(index: number, length: number, name: string): void {
  if (Number.isInteger(index) && index >= 0 && index < length) return
  throw new PipiloError('INPUT_INVALID', `${name} has ${length} rows, and no row ${index}.`, { input: index })
}

/** The hash of a source's own bytes, and of the pictures that its rows name. */
export async function hashAfter(own: string, rows: AsyncIterable<DatasetRow> | undefined): Promise<string> {
  if (!rows) return own
  const digest = createHash('sha256').update(own)
  for await (const { image } of rows) if (image !== undefined) await addImage(digest, image)
  return digest.digest('hex')
}

/** The hash of rows that are nowhere else: their values, and the pictures that they name. */
export async function hashOfRows(rows: AsyncIterable<DatasetRow>): Promise<string> {
  const digest = createHash('sha256')
  for await (const { image, ...rest } of rows) {
    await breathe()
    addPart(digest, JSON.stringify(rest, Object.keys(rest).sort()))
    if (image !== undefined) await addImage(digest, image)
  }
  return digest.digest('hex')
}

/** Each part with its length, so that no two lists of parts are the same bytes. */
function addPart(digest: Hash, part: string | Uint8Array): void {
  digest.update(`${Buffer.byteLength(part)}:`).update(part)
}

async function addImage(digest: Hash, image: Input): Promise<void> {
  if (image instanceof Uint8Array) addPart(digest, image)
  else if (image instanceof Blob) addPart(digest, new Uint8Array(await image.arrayBuffer()))
  else if (typeof image === 'object' && 'data' in image) {
    digest.update(`${image.width}x${image.height}x${image.channels}`)
    addPart(digest, image.data)
  } else await addNamed(digest, String(image))
}

/** The bytes of a file; an address elsewhere counts by its name. */
async function addNamed(digest: Hash, image: string): Promise<void> {
  const isFile = /^file:/i.test(image)
  if (!isFile && /^[a-z][a-z0-9+.-]+:/i.test(image)) {
    addPart(digest, image)
    return
  }
  const path = isFile ? fileURLToPath(image) : image
  try {
    digest.update(`${(await stat(path)).size}:`)
    for await (const chunk of createReadStream(path)) digest.update(chunk)
  } catch (error) {
    throw fileError(error, path, 'read')
  }
}
