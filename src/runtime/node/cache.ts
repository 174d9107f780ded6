// Converted weights in a file that every session and every process maps: written once, addressed by a hash of its sources.
import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileError, makeFolder, writeFileAtomic } from '../../base/files/index.ts'
import { PipiloError } from '../../base/index.ts'
import { type Derived, type Initializer, inMemory } from '../../graph/index.ts'
import {
  byteLength,
  bytesOf,
  type DType,
  elementCount,
  type FileTensor,
  type TypedArray,
} from '../../tensor/index.ts'
import { prune } from './cacheFolder.ts'
import { chunks, isFileTensor, type Piece } from './piece.ts'
import { isSealed, seal } from './seal.ts'
import { hasMark, MARK, sourceIdentity } from './weightsFile.ts'

// Weights start at multiples of a cache line.
const ALIGNMENT = 64

/** A tensor of a file, and its recipe from other tensors. */
interface Entry {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly recipe: string
  readonly sources: readonly Initializer[]
  content(): AsyncIterable<TypedArray>
}

/** The folder of such files below `cacheDir`. */
export function weightsFolder(cacheDir: string): string {
  return join(cacheDir, 'weights')
}

/**
 * The file that holds these weights, made if it is not there yet.
 *
 * A folder that cannot be written (read-only, full) is passed over for one below the system's temporary folder.
 * `undefined` when no folder serves.
 */
export function convertedFile(
  pieces: readonly Piece[],
  cacheDir: string,
): Promise<Map<string, FileTensor> | undefined> {
  const entries = pieces.map(
    (piece): Entry => ({
      ...piece,
      recipe: `from ${piece.source.dtype}`,
      sources: [piece.source],
      content: () => chunks(piece),
    }),
  )
  return fileOf(entries, cacheDir)
}

/** See `keepDerived` in onDemand.ts. */
export async function derivedFile(
  derived: readonly Derived[],
  cacheDir: string,
): Promise<ReadonlyMap<string, Initializer>> {
  const entries = derived.map(
    (one): Entry => ({
      ...one,
      async *content() {
        yield (await one.make()).data as TypedArray
      },
    }),
  )
  return (await fileOf(entries, cacheDir)) ?? inMemory(derived)
}

async function fileOf(
  entries: readonly Entry[],
  cacheDir: string,
): Promise<Map<string, FileTensor> | undefined> {
  const mark = await address(entries)
  const name = `${mark.toString('hex')}.bin`
  const temporary = join(tmpdir(), `pipilo-${process.getuid?.() ?? 'weights'}`)
  for (const folder of [weightsFolder(cacheDir), temporary]) {
    if (folder === temporary && !(await isOwn(folder))) continue
    const path = join(folder, name)
    const { files, size } = layout(entries, path)
    // A cut one has no mark; one with other bytes no seal.
    if ((await hasMark(path, mark, size + MARK)) && (await isSealed(path))) return files
    try {
      await makeFolder(folder, { mode: 0o700 })
      await writeFileAtomic(path, content(entries, mark))
      await seal(path)
    } catch (error) {
      // Weights that cannot be read are an error; a folder that cannot be written is passed over.
      if (error instanceof PipiloError && ['WRITE_FAILED', 'NOT_A_FILE'].includes(error.code)) continue
      throw error
    }
    await prune(folder, name)
    return files
  }
  return undefined
}

/** True if nobody else made the folder: everyone may write to the temporary folder, and its files would be trusted. */
async function isOwn(folder: string): Promise<boolean> {
  const status = await stat(folder).catch(() => undefined)
  return !status || !process.getuid || status.uid === process.getuid()
}

async function address(entries: readonly Entry[]): Promise<Buffer> {
  const hash = createHash('sha256').update('pipilo weights 2\n')
  const files = new Map<string, string>()
  for (const { dtype, shape, recipe, sources } of entries) {
    hash.update(`${dtype} ${shape.join('x')} ${recipe} `)
    for (const source of sources) hash.update(await identity(source, files))
    hash.update('\n')
  }
  return hash.digest()
}

/** Identity of a tensor: its place in a file and that file's identity, else a hash of its bytes. */
async function identity(source: Initializer, files: Map<string, string>): Promise<string> {
  if (!isFileTensor(source)) {
    const bytes = bytesOf(source.data as TypedArray)
    return `${source.dtype} ${createHash('sha256').update(bytes).digest('hex')} `
  }
  const { path, offset, length } = source.file
  if (!files.has(path)) {
    const known = await sourceIdentity(path).catch((error) => Promise.reject(fileError(error, path, 'read')))
    files.set(path, known)
  }
  return `${source.dtype} ${files.get(path)} ${offset} ${length} `
}

function layout(entries: readonly Entry[], path: string): { files: Map<string, FileTensor>; size: number } {
  const files = new Map<string, FileTensor>()
  let size = 0
  for (const { name, dtype, shape } of entries) {
    const length = byteLength(dtype, elementCount(shape))
    files.set(name, { dtype, shape, file: { path, offset: size, length } })
    size += length + padding(length)
  }
  return { files, size }
}

async function* content(entries: readonly Entry[], mark: Uint8Array): AsyncGenerator<Uint8Array> {
  for (const { dtype, shape, content } of entries) {
    for await (const chunk of content()) yield bytesOf(chunk)
    yield new Uint8Array(padding(byteLength(dtype, elementCount(shape))))
  }
  yield mark
}

function padding(length: number): number {
  return (ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT
}
