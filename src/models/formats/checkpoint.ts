// Finds and reads a model's checkpoint: safetensors or what `torch.save` wrote, in one file or in shards.
import { PipiloError } from '../../base/index.ts'
import type { Initializer } from '../../graph/index.ts'
import { isObject, type ModelFiles, readJsonObject } from '../files.ts'
import { readTorch } from './pickle/index.ts'
import { parseSafetensors } from './safetensors.ts'

/** The tensors of a checkpoint, left in their files as far as possible. */
export interface Checkpoint {
  readonly tensors: ReadonlyMap<string, Initializer>
  /** Names of the files that hold them, within the model. */
  readonly paths: readonly string[]
}

/** Names that checkpoints have, the best first. */
const usual = [
  'model.safetensors',
  'model.safetensors.index.json',
  'open_clip_model.safetensors',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
  'open_clip_pytorch_model.bin',
]

/** Files of a training run that hold no model. */
const asides = /^(?:training_args|optimizer|scheduler|rng_state.*|scaler|random_states.*|adapter_model)\./

/** True if a name is that of a checkpoint, by its ending. */
export function isCheckpoint(name: string): boolean {
  return /\.(?:safetensors|bin|pt|pth|safetensors\.index\.json|bin\.index\.json)$/.test(name)
}

/**
 * The name of the checkpoint among those of a folder: `model.safetensors`, sharded or not, before `pytorch_model.bin`, else the
 * only one that is there, safetensors before pickles.
 *
 * @throws PipiloError `MODEL_INVALID` where it is not clear which one
 */
export function findCheckpoint(files: ModelFiles, names: readonly string[]): string | undefined {
  const known = usual.find((name) => names.includes(name))
  if (known !== undefined) return known
  for (const ending of [/\.safetensors\.index\.json$/, /\.safetensors$/, /\.(?:bin|pt|pth)$/]) {
    const found = names.filter((name) => ending.test(name) && !asides.test(name))
    if (found.length > 1) {
      throw new PipiloError('MODEL_INVALID', `${files.label} has several checkpoints: ${found.join(', ')}.`, {
        input: files.label,
        hint: 'Name the one that is meant, as in file:folder/weights.safetensors.',
      })
    }
    if (found[0] !== undefined) return found[0]
  }
  return undefined
}

/**
 * Reads a checkpoint: a safetensors file, one that `torch.save` wrote, or the index (`….index.json`) of one that is split over
 * several of these.
 *
 * @param path within `files`
 * @throws PipiloError `FILE_NOT_FOUND` with the names of all missing shards, `MODEL_INVALID` for an index that contradicts its
 * shards, and those of the formats
 */
export async function readCheckpoint(files: ModelFiles, path: string): Promise<Checkpoint> {
  if (!path.endsWith('.index.json')) {
    return { tensors: await readTensors(files, path), paths: [path] }
  }
  const places = weightMap(files, path, await readJsonObject(files, path))
  const folder = path.slice(0, path.lastIndexOf('/') + 1)
  const names = [...new Set(places.values())].sort()
  const missing: string[] = []
  for (const name of names) if (!(await files.has(folder + name))) missing.push(name)
  if (missing.length > 0) {
    throw new PipiloError(
      'FILE_NOT_FOUND',
      `${files.label} lacks ${missing.length} of the ${names.length} shards that ${path} names: ${missing.join(', ')}.`,
      { input: files.label, hint: 'Download them beside the others.' },
    )
  }
  const shards = new Map<string, ReadonlyMap<string, Initializer>>()
  const paths: string[] = []
  for (const name of names) {
    paths.push(folder + name)
    shards.set(name, await readTensors(files, folder + name))
  }
  const tensors = new Map<string, Initializer>()
  const absent: string[] = []
  for (const [name, shard] of places) {
    const tensor = shards.get(shard)!.get(name)
    if (tensor) tensors.set(name, tensor)
    else absent.push(`${name} (${shard})`)
  }
  if (absent.length > 0) {
    throw invalid(files, `${path} names tensors that its shards do not hold: ${absent.join(', ')}`)
  }
  return { tensors, paths }
}

/** The tensors of one file, by its ending. */
export async function readTensors(
  files: ModelFiles,
  path: string,
): Promise<ReadonlyMap<string, Initializer>> {
  return files.open(path, async (file) =>
    path.endsWith('.safetensors') ? (await parseSafetensors(file)).tensors : readTorch(file),
  )
}

function weightMap(
  files: ModelFiles,
  path: string,
  index: Readonly<Record<string, unknown>>,
): Map<string, string> {
  const { weight_map: map } = index
  if (!isObject(map)) throw invalid(files, `${path} has no weight_map`)
  const places = new Map<string, string>()
  for (const [name, shard] of Object.entries(map)) {
    if (typeof shard !== 'string' || shard === '' || /[\\/]/.test(shard)) {
      throw invalid(
        files,
        `${path} puts ${name} into ${JSON.stringify(shard)}, which is no name of a file beside it`,
      )
    }
    places.set(name, shard)
  }
  return places
}

function invalid(files: ModelFiles, complaint: string): PipiloError {
  return new PipiloError('MODEL_INVALID', `${files.label} is broken: ${complaint}.`, { input: files.label })
}
