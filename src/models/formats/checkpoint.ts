// Finds and reads a model's checkpoint: safetensors or what `torch.save` wrote, in one file or in shards.
import { PipiloError } from '../../base/index.ts'
import type { Initializer } from '../../graph/index.ts'
import { isObject, type ModelFiles, type OpenFile, readJsonObject, viewOf } from '../files.ts'
import { behindPrefix } from './networks.ts'
import { readTorch } from './pickle/index.ts'
import { parseSafetensors } from './safetensors.ts'

/** The tensors of a checkpoint, left in their files as far as possible. */
export interface Checkpoint {
  readonly tensors: ReadonlyMap<string, Initializer>
  /** Names of the files that hold them, within the model. */
  readonly paths: readonly string[]
  /** A choice that was made among what they hold, in a sentence. */
  readonly note?: string
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

/** Endings of checkpoints: Lightning writes `.ckpt`, PyTorch's examples and MoCo `.pth.tar`. */
const endings = /\.(?:safetensors|bin|pt|pth|ckpt|pth\.tar|safetensors\.index\.json|bin\.index\.json)$/

/** True if a name is that of a checkpoint, by its ending. Others are told by their content: {@link contentOf}. */
export function isCheckpoint(name: string): boolean {
  return endings.test(name)
}

/** Format of a checkpoint, by its first bytes; undefined for what is none. */
export async function contentOf(file: OpenFile): Promise<'torch' | 'safetensors' | undefined> {
  const start = await file.read(0, Math.min(16, file.size))
  // The length of a header, which is a JSON object: first, as a length of 896 begins like a pickle.
  const isHeader = start.length > 8 && start[8] === 0x7b
  if (isHeader && viewOf(start).getBigUint64(0, true) <= BigInt(file.size - 8)) return 'safetensors'
  // A zip archive, or a pickle of protocol 2 to 5.
  if (start[0] === 0x50 && start[1] === 0x4b && start[2] === 3 && start[3] === 4) return 'torch'
  return start[0] === 0x80 && start[1]! >= 2 && start[1]! <= 5 ? 'torch' : undefined
}

/** Endings of files that are no checkpoint, which need not be looked into. */
const others =
  /\.(?:json|jsonl|ya?ml|toml|txt|md|py|ipynb|js|mjs|ts|html?|css|csv|tsv|png|jpe?g|gif|svg|webp|onnx|onnx[._]data|h5|msgpack|ot|model|gz|zip|npz|npy|parquet|arrow|log|sh)$|^\./i

/** Most files of a folder that are looked into. */
const MOST_LOOKED_INTO = 32

/**
 * The name of the checkpoint among those of a folder: `model.safetensors`, sharded or not, before `pytorch_model.bin`, else the
 * only one that is there, safetensors before pickles; in a folder on this machine also one of any ending, told by its content.
 *
 * @param names of the files in the folder
 * @param folder within `files`, `''` or ending in a slash
 * @throws PipiloError `MODEL_INVALID` where it is not clear which one
 */
export async function findCheckpoint(
  files: ModelFiles,
  names: readonly string[],
  folder = '',
): Promise<string | undefined> {
  const known = usual.find((name) => names.includes(name))
  if (known !== undefined) return known
  for (const ending of [/\.safetensors\.index\.json$/, /\.safetensors$/, /\.(?:bin|pt|pth|ckpt|pth\.tar)$/]) {
    const found = names.filter((name) => ending.test(name) && !asides.test(name))
    if (found.length > 1) throw several(files, found)
    if (found[0] !== undefined) return found[0]
  }
  // A hub's files would have to be fetched to be looked into.
  if (files.folder === undefined) return undefined
  const found: string[] = []
  for (const name of names
    .filter((each) => !others.test(each) && !asides.test(each))
    .slice(0, MOST_LOOKED_INTO)) {
    if ((await files.open(folder + name, contentOf).catch(() => undefined)) !== undefined) found.push(name)
  }
  if (found.length > 1) throw several(files, found)
  return found[0]
}

function several(files: ModelFiles, found: readonly string[]): PipiloError {
  return new PipiloError('MODEL_INVALID', `${files.label} has several checkpoints: ${found.join(', ')}.`, {
    input: files.label,
    hint: 'Name the one that is meant, as in file:folder/weights.safetensors.',
  })
}

/**
 * Reads a checkpoint: a safetensors file, one that `torch.save` wrote, whatever their endings, or the index (`….index.json`) of one that is
 * split over several of these. Names are those of the network itself, without what wrappers put before them.
 *
 * @param path within `files`
 * @param prefix beginning of the names of the tensors that are meant, where the file holds several networks
 * @throws PipiloError `FILE_NOT_FOUND` with the names of all missing shards, `MODEL_INVALID` for an index that contradicts its
 * shards, and those of the formats
 */
export async function readCheckpoint(files: ModelFiles, path: string, prefix?: string): Promise<Checkpoint> {
  if (prefix !== undefined && (typeof prefix !== 'string' || prefix === '')) {
    throw new PipiloError(
      'OPTION_INVALID',
      `The prefix is ${JSON.stringify(prefix)}, not the beginning of names.`,
      {
        input: 'prefix',
        hint: "Write it as in { prefix: 'teacher.backbone.' }.",
      },
    )
  }
  if (!path.endsWith('.index.json')) {
    const { tensors, note } = await readTensors(files, path, prefix)
    return { tensors: withoutWrappers(tensors), paths: [path], ...(note && { note }) }
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
    shards.set(name, (await readTensors(files, folder + name)).tensors)
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
  const meant = prefix === undefined ? tensors : behindPrefix(tensors, prefix, files.label)
  return { tensors: withoutWrappers(meant), paths }
}

interface ReadTensors {
  readonly tensors: ReadonlyMap<string, Initializer>
  readonly note?: string
}

/** Tensors that an error lists. */
const LISTED = 8

/** The tensors in a sentence: how many, and the first ones with their shapes. */
export function tensorsInWords(tensors: ReadonlyMap<string, Initializer>): string {
  const first = [...tensors].slice(0, LISTED).map(([name, { shape }]) => `${name} [${shape.join(', ')}]`)
  return `It holds ${tensors.size} tensor${tensors.size === 1 ? '' : 's'}: ${first.join(', ')}${tensors.size > LISTED ? ', …' : ''}`
}

/** The tensors of one file, by its content. */
function readTensors(files: ModelFiles, path: string, prefix?: string): Promise<ReadTensors> {
  return files.open(path, async (file) => {
    const content = await contentOf(file)
    if (content === 'safetensors' || (content === undefined && path.endsWith('.safetensors'))) {
      const { tensors } = await parseSafetensors(file)
      return { tensors: prefix === undefined ? tensors : behindPrefix(tensors, prefix, file.name) }
    }
    if (content === undefined) throw await noCheckpoint(file)
    const { tensors, place, note } = await readTorch(file, prefix)
    const averaged = /(?:^|\.)(?:state_dict_ema|model_ema)(?:\.|$)/.test(place)
    return averaged
      ? { tensors, note: `Weights are the averaged ones (${place}), as timm takes them.` }
      : { tensors, ...(note !== undefined && { note }) }
  })
}

async function noCheckpoint(file: OpenFile): Promise<PipiloError> {
  const bytes = await file.read(0, Math.min(512, file.size))
  // TextDecoder's latin1 is Windows-1252, where other characters stand from 0x80 on.
  const text = String.fromCharCode(...bytes)
  const what = contents.find(([start, at]) => text.startsWith(start, at))?.[2]
  return new PipiloError(
    'FORMAT_UNSUPPORTED',
    `${file.name} is ${what ?? 'no checkpoint: it begins neither as safetensors nor as what torch.save writes'}.`,
    { input: file.name, hint: 'Download it again, or save it with torch.save(model.state_dict(), path).' },
  )
}

/** Files that are met in the place of checkpoints: their bytes, at which place, and their name. */
const contents: readonly (readonly [start: string, at: number, name: string])[] = [
  ['<', 0, 'a page of the web or XML, not a checkpoint'],
  ['\u001f\u008b', 0, 'compressed by gzip: unpack it first'],
  ['ustar', 257, 'a tar archive: unpack it first'],
  ['\u0089HDF', 0, 'an HDF5 file, as Keras writes, which is not read here'],
]

/** Modules that wrappers for compilation and for training in parallel put in the middle of names; no network has such of its own. */
const wrapping = /(?<![^.])(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\./g

/**
 * Tensors without the names of wrappers: `_orig_mod.` of torch.compile wherever it stands, `module.` of training in parallel at the
 * front, and `model.` where all names begin with it. As they are where that would make two names one.
 */
function withoutWrappers(tensors: ReadonlyMap<string, Initializer>): ReadonlyMap<string, Initializer> {
  const names = [...tensors.keys()]
  const bare = (name: string) => name.replace(wrapping, '').replace(/^(?:module\.)+/, '')
  let clean = names.map(bare)
  while (clean.length > 0 && clean.every((name) => name.startsWith('model.'))) {
    clean = clean.map((name) => bare(name.slice('model.'.length)))
  }
  if (new Set(clean).size < clean.length || clean.every((name, i) => name === names[i])) return tensors
  return new Map([...tensors.values()].map((tensor, i) => [clean[i]!, tensor]))
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
