// Reads the `modules.json` of sentence-transformers: pooling, normalisation, dense layers.
import { PipiloError } from '../../base/index.ts'
import type { Initializer } from '../../graph/index.ts'
import { isObject, type ModelFiles, readJson, readJsonObject } from '../files.ts'
import { readCheckpoint } from '../formats/checkpoint.ts'
import type { Pooling } from '../types.ts'

/** Modes of sentence-transformers' pooling, by its names. */
export type PoolingMode = 'cls' | 'max' | 'mean' | 'mean_sqrt_len_tokens' | 'weightedmean' | 'lasttoken'

/** A module after the network. Paths are those of its folder, `''` or ending in a slash. */
export type SentenceModule =
  /** Several modes are concatenated in their order. */
  | { readonly kind: 'Pooling'; readonly path: string; readonly modes: readonly PoolingMode[] }
  | {
      readonly kind: 'Dense'
      readonly path: string
      /** Last part of the name of PyTorch's class, such as `Tanh`. */
      readonly activation: string
      readonly residual: boolean
      readonly tensors: ReadonlyMap<string, Initializer>
    }
  | { readonly kind: 'LayerNorm'; readonly path: string; readonly tensors: ReadonlyMap<string, Initializer> }
  | { readonly kind: 'Normalize'; readonly path: string }
  /** The first numbers alone, as they are. */
  | { readonly kind: 'Truncate'; readonly path: ''; readonly size: number }

/** Content of `modules.json`. */
export interface Modules {
  /** Folder of the network's files, `''` or ending in a slash. */
  readonly network: string
  /** Its class: `Transformer`, `CLIPModel` or `StaticEmbedding`. */
  readonly networkKind: string
  readonly pool: Pooling
  readonly normalize: boolean
  /** Modules to be added to the graph, all of them, where {@link pool} and {@link normalize} cannot express them. */
  readonly modules: readonly SentenceModule[]
  /** Absolute paths of the weights of these modules. */
  readonly paths: readonly string[]
}

const poolings: Readonly<Record<PoolingMode, Pooling | undefined>> = {
  cls: 'cls',
  max: 'max',
  mean: 'mean',
  mean_sqrt_len_tokens: undefined,
  weightedmean: undefined,
  lasttoken: 'last',
}

/** The flags that older releases wrote in place of `pooling_mode`, in the order of concatenation. */
const poolingFlags: ReadonlyMap<string, PoolingMode> = new Map([
  ['pooling_mode_cls_token', 'cls'],
  ['pooling_mode_max_tokens', 'max'],
  ['pooling_mode_mean_tokens', 'mean'],
  ['pooling_mode_mean_sqrt_len_tokens', 'mean_sqrt_len_tokens'],
  ['pooling_mode_weightedmean_tokens', 'weightedmean'],
  ['pooling_mode_lasttoken', 'lasttoken'],
])

/**
 * Reads `modules.json` and the modules that it names: a network, then poolings, dense layers and norms.
 *
 * @throws PipiloError `FORMAT_UNSUPPORTED` for modules that Pipilo does not have, `MODEL_INVALID` for a broken list
 * @see https://sbert.net/docs/sentence_transformer/usage/custom_models.html
 */
export async function readModules(files: ModelFiles): Promise<Modules> {
  const [first, ...others] = await listed(files)
  const heads = ['Transformer', 'CLIPModel', 'StaticEmbedding']
  if (!first || !heads.includes(first.kind)) {
    throw unsupported(files, 'has no Transformer at the head of its modules (modules.json)')
  }
  const modules: SentenceModule[] = []
  // A table of tokens gives their mean itself.
  if (first.kind === 'StaticEmbedding') modules.push({ kind: 'Pooling', path: '', modes: ['mean'] })
  const paths: string[] = []
  for (const { kind, path } of others) {
    if (kind === 'Dropout') continue
    const isPooling = kind === 'Pooling'
    // A second pooling, or any other module on vectors that are not there yet, would compute something else.
    if (isPooling !== (modules.length === 0 && first.kind === 'Transformer')) throw misplaced(files, kind)
    if (isPooling) modules.push({ kind, path, modes: await poolingModes(files, `${path}config.json`) })
    else if (kind === 'Normalize') modules.push({ kind, path })
    else if (kind === 'LayerNorm') modules.push({ kind, path, tensors: await tensors(files, path, paths) })
    else if (kind === 'Dense') {
      modules.push({ kind, path, ...(await dense(files, path)), tensors: await tensors(files, path, paths) })
    } else throw misplaced(files, kind)
  }
  const size = await truncation(files)
  if (size !== undefined) modules.push({ kind: 'Truncate', path: '', size })
  const normalize = modules.at(-1)?.kind === 'Normalize'
  const rest = normalize ? modules.slice(0, -1) : modules
  const pooling = rest[0]?.kind === 'Pooling' ? rest[0].modes : []
  const simple = pooling.length === 1 ? poolings[pooling[0]!] : undefined
  const isSimple = rest.length === 0 || (rest.length === 1 && simple !== undefined)
  return {
    network: first.path,
    networkKind: first.kind,
    pool: pooling.length === 0 ? 'none' : (simple ?? 'mean'),
    normalize,
    modules: isSimple ? [] : rest,
    paths,
  }
}

/** Numbers of a vector that `config_sentence_transformers.json` keeps, behind all modules. */
async function truncation(files: ModelFiles): Promise<number | undefined> {
  const path = 'config_sentence_transformers.json'
  const { truncate_dim: size } = (await files.has(path)) ? await readJsonObject(files, path) : {}
  if (size === undefined || size === null) return undefined
  if (Number.isSafeInteger(size) && Number(size) > 0) return Number(size)
  throw unsupported(files, `says truncate_dim ${JSON.stringify(size)} (${path})`)
}

async function listed(files: ModelFiles): Promise<{ readonly kind: string; readonly path: string }[]> {
  const list = await readJson(files, 'modules.json')
  if (!Array.isArray(list)) throw broken(files, 'is not a list')
  return list.map((module: unknown) => {
    const { type, path } = isObject(module) ? module : {}
    if (typeof type !== 'string' || typeof path !== 'string') {
      throw broken(files, 'has a module without type or path')
    }
    return { kind: type.split('.').at(-1)!, path: path === '' ? '' : `${path.replace(/(?<!\/)\/+$/, '')}/` }
  })
}

async function poolingModes(files: ModelFiles, path: string): Promise<PoolingMode[]> {
  const config = await readJsonObject(files, path)
  if (config['include_prompt'] === false) {
    throw unsupported(files, `leaves the prompt out of its pooling (include_prompt in ${path})`)
  }
  const stated = config['pooling_mode']
  const flagged = [...poolingFlags].filter(([flag]) => config[flag] === true).map(([, mode]) => mode)
  const modes: unknown[] = stated === undefined ? flagged : [stated].flat()
  for (const mode of modes) {
    if (!Object.hasOwn(poolings, String(mode))) throw unsupported(files, `pools by ${String(mode)} (${path})`)
  }
  // Without any statement the mean is sentence-transformers' default.
  return modes.length === 0 ? ['mean'] : (modes as PoolingMode[])
}

async function dense(files: ModelFiles, path: string): Promise<{ activation: string; residual: boolean }> {
  const config = await readJsonObject(files, `${path}config.json`)
  const reads = config['module_input_name'] ?? 'sentence_embedding'
  if (reads !== 'sentence_embedding' || (config['module_output_name'] ?? reads) !== reads) {
    throw unsupported(files, `has a Dense module on ${String(reads)} (${path}config.json)`)
  }
  const activation = String(config['activation_function'] ?? 'torch.nn.modules.activation.Tanh')
  return { activation: activation.split('.').at(-1)!, residual: config['use_residual'] === true }
}

async function tensors(
  files: ModelFiles,
  path: string,
  paths: string[],
): Promise<ReadonlyMap<string, Initializer>> {
  for (const name of ['model.safetensors', 'pytorch_model.bin']) {
    if (!(await files.has(path + name))) continue
    const checkpoint = await readCheckpoint(files, path + name)
    paths.push(...checkpoint.paths)
    return checkpoint.tensors
  }
  throw new PipiloError('MODEL_INVALID', `${files.label} has no weights in ${path}.`, { input: files.label })
}

function misplaced(files: ModelFiles, kind: string): PipiloError {
  return unsupported(files, `has a module ${kind} (modules.json) that Pipilo does not have at this place`)
}

function broken(files: ModelFiles, complaint: string): PipiloError {
  return new PipiloError('MODEL_INVALID', `modules.json of ${files.label} ${complaint}.`, {
    input: files.label,
  })
}

/** A way of use that Pipilo does not have. */
export function unsupported(files: ModelFiles, complaint: string): PipiloError {
  return new PipiloError('FORMAT_UNSUPPORTED', `${files.label} ${complaint}, and would embed wrongly.`, {
    input: files.label,
    hint: 'Export the whole model to ONNX and open that file.',
  })
}

/** Refuses modules behind a network whose vectors are finished: CLIP's, or a picture model's. */
export function refuseModules(
  files: ModelFiles,
  layout: { readonly modules: readonly SentenceModule[] } | undefined,
  network: string,
): void {
  if (layout && layout.modules.length > 0) {
    const kinds = layout.modules.map(({ kind }) => kind).join(', ')
    throw unsupported(
      files,
      `has ${kinds} behind ${network} (modules.json, config_sentence_transformers.json)`,
    )
  }
}
