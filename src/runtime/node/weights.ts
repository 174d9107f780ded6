// Decides where each weight of a session lies: inside the protobuf, in the file it came from, or in a converted file.
import { realpath } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileError } from '../../base/files/index.ts'
import { PipiloError } from '../../base/index.ts'
import type { Graph, Initializer } from '../../graph/index.ts'
import type { FileTensor } from '../../tensor/index.ts'
import { convertedFile, weightsFolder } from './cache.ts'
import { isFileTensor, load, type Piece, pieceSize } from './piece.ts'

/** A graph whose weights may still have to be converted. */
export interface Lowered {
  readonly graph: Graph
  /** Names of float16 and bfloat16 initializers that the graph takes as float32. */
  readonly halves: ReadonlySet<string>
}

/** A graph ready to be written: its large weights lie in files of one folder, all others in memory. */
export interface Placed {
  readonly graph: Graph
  readonly folder?: string
}

// Shapes, axes and scalars: the runtime's optimiser reads these, and mapping them would gain nothing.
const SMALL = 256
// Weights in memory up to this many bytes in all are written into the protobuf. Beyond it a mapped file serves better:
// each worker would hold a copy of its own, and a protobuf ends at 2 GB.
const INLINE = 16 * 2 ** 20
// Without any folder to write to, this much may still go into the protobuf.
const INLINE_AT_MOST = 2 ** 30

/**
 * Places the weights, converting them into a file below `cacheDir` where they cannot be taken as they lie.
 *
 * @throws `WRITE_FAILED` when they need a file and none can be written; what reading them throws
 */
export async function placeWeights({ graph, halves }: Lowered, cacheDir: string): Promise<Placed> {
  const pieces = [...graph.initializers].map(
    ([name, source]): Piece => ({
      name,
      dtype: halves.has(name) ? 'float32' : source.dtype,
      shape: source.shape,
      source,
    }),
  )
  const large = pieces.filter((piece) => piece.dtype !== 'string' && pieceSize(piece) >= SMALL)
  const filed = large.filter((piece) => isFileTensor(piece.source))
  const outside = total(large) - total(filed) <= INLINE ? filed : large
  const files = outside.length === 0 ? new Map() : await fileWeights(outside, cacheDir)
  const initializers = new Map<string, Initializer>()
  for (const piece of pieces) initializers.set(piece.name, files.get(piece.name) ?? (await load(piece)))
  const [first] = files.values()
  return { graph: { ...graph, initializers }, ...(first && { folder: dirname(first.file.path) }) }
}

function total(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, piece) => sum + pieceSize(piece), 0)
}

/** The pieces in files of one folder; an empty map when no folder can be written and they fit into memory. */
async function fileWeights(pieces: readonly Piece[], cacheDir: string): Promise<Map<string, FileTensor>> {
  const files =
    (await asTheyLie(pieces)) ??
    (await besideDerived(pieces, cacheDir)) ??
    (await convertedFile(pieces, cacheDir))
  if (files) return files
  if (total(pieces) <= INLINE_AT_MOST) return new Map()
  throw new PipiloError('WRITE_FAILED', `No folder could be written for ${total(pieces)} bytes of weights.`, {
    hint: `Make ${cacheDir} writable, or name another folder in PIPILO_CACHE.`,
    input: cacheDir,
  })
}

/** Quantised weights already lie in the folder of converted ones: only the others are converted. */
async function besideDerived(
  pieces: readonly Piece[],
  cacheDir: string,
): Promise<Map<string, FileTensor> | undefined> {
  const folder = weightsFolder(cacheDir)
  const lies = ({ dtype, source }: Piece) =>
    isFileTensor(source) && source.dtype === dtype && dirname(source.file.path) === folder
  const derived = pieces.filter(lies)
  if (derived.length === 0) return undefined
  const rest = pieces.filter((piece) => !lies(piece))
  const converted = await convertedFile(rest, cacheDir)
  return converted && (await asTheyLie([...derived, ...rest.map((piece) => at(piece, converted))]))
}

/** A piece that has been converted. */
function at(piece: Piece, files: ReadonlyMap<string, FileTensor>): Piece {
  return { ...piece, source: files.get(piece.name) as FileTensor }
}

/** The runtime maps files of one folder only, and no symbolic links (as in the hub's snapshots): these are followed. */
async function asTheyLie(pieces: readonly Piece[]): Promise<Map<string, FileTensor> | undefined> {
  const targets = new Map<string, string>()
  const files = new Map<string, FileTensor>()
  for (const { name, dtype, source } of pieces) {
    if (!isFileTensor(source) || source.dtype !== dtype) return undefined
    const { path } = source.file
    if (!targets.has(path)) {
      const target = await realpath(path).catch((error) => Promise.reject(fileError(error, path, 'read')))
      targets.set(path, target)
    }
    files.set(name, { ...source, file: { ...source.file, path: targets.get(path) as string } })
  }
  return new Set([...targets.values()].map(dirname)).size === 1 ? files : undefined
}
