import type { Initializer } from '../graph/index.ts'
import type { BuiltModel } from '../nn/index.ts'
import { closest, PipiloError } from '../tensor/index.ts'
import { type Architecture, findByName, findByType, knownNames, knownTypes } from './architectures.ts'
import { type Checkpoint, findCheckpoint, readCheckpoint } from './checkpoint.ts'
import { isObject, readJsonObject } from './files.ts'
import { fingerprint } from './fingerprint.ts'
import { readTextLayout } from './layout.ts'
import { type Modules, readModules } from './modules.ts'
import { findOnnx, readOnnxModel } from './onnx.ts'
import { readPreprocessor } from './preprocessor.ts'
import type { FoundCard, Reading, ReadOptions } from './reading.ts'
import { withLayout } from './sentence.ts'
import type { ModelFiles } from './sources.ts'
import { imageNet, readTimmConfig } from './timm.ts'
import { refuseUnused } from './unused.ts'

type Config = Readonly<Record<string, unknown>>

/** A network's configuration, and where its files lie. */
interface Network {
  /** Sub-folder, `''` or ending in a slash. */
  readonly path: string
  readonly modules: Modules | undefined
  readonly config: Config
  /** What the configuration calls the architecture. */
  readonly name: string
  /** Whose name that is. */
  readonly of: 'transformers' | 'timm'
  readonly architecture: Architecture | undefined
}

/**
 * Reads a checkpoint and the configuration beside it: a folder of transformers, sentence-transformers or timm, or one file with
 * the option `architecture`. Where the architecture is not built here, its ONNX export is taken, if there is one.
 *
 * @param file the checkpoint, where the source names it
 * @throws PipiloError `MODEL_INVALID` for an architecture that is not known, with those that are; `PARAMETER_MISSING`,
 * `SHAPE_MISMATCH` and `PARAMETER_UNUSED` for a checkpoint that does not fit; those of the formats
 */
export async function readFolder(files: ModelFiles, options: ReadOptions, file?: string): Promise<Reading> {
  const network = await findNetwork(files, options)
  const { architecture } = network
  const folder = network.path.replace(/\/$/, '')
  const names = await files.list(folder)
  const weights = file ?? (architecture ? prefixed(network.path, findCheckpoint(files, names)) : undefined)
  if (architecture && weights !== undefined) {
    const checkpoint = await readCheckpoint(files, weights)
    return architecture.modality === 'text'
      ? buildText(files, network, checkpoint, options)
      : buildImage(files, network, checkpoint, options)
  }
  const onnx = await findOnnx(files, folder, names)
  if (onnx !== undefined) {
    const isText = network.of === 'transformers' && architecture?.modality !== 'image'
    return readOnnxModel(
      files,
      onnx,
      options.card ?? {},
      isText ? await readTextLayout(files, network.modules) : undefined,
    )
  }
  if (!architecture) throw unknownArchitecture(files, network)
  throw new PipiloError(
    'MODEL_INVALID',
    `${files.label} has no weights (model.safetensors, pytorch_model.bin).`,
    {
      input: files.label,
    },
  )
}

function prefixed(path: string, name: string | undefined): string | undefined {
  return name === undefined ? undefined : path + name
}

async function findNetwork(files: ModelFiles, options: ReadOptions): Promise<Network> {
  const modules = (await files.has('modules.json')) ? await readModules(files) : undefined
  const path = modules?.network ?? ''
  const stated = (await files.has(`${path}config.json`))
    ? await readJsonObject(await files.get(`${path}config.json`))
    : undefined
  const name = options.architecture ?? stated?.['architecture']
  if (typeof name === 'string') {
    const config = { ...(isObject(stated?.['model_args']) ? stated['model_args'] : {}), ...stated }
    return { path, modules, config, name, of: 'timm', architecture: findByName(name) }
  }
  if (!stated) {
    throw new PipiloError('MODEL_INVALID', `${files.label} has no ${path}config.json that says what it is.`, {
      input: files.label,
      hint: "Name its architecture, as in open('resnet50.pth', { architecture: 'resnet50' }).",
    })
  }
  const type = String(stated['model_type'])
  return { path, modules, config: stated, name: type, of: 'transformers', architecture: findByType(type) }
}

function build(
  files: ModelFiles,
  network: Network,
  tensors: ReadonlyMap<string, Initializer>,
  options: ReadOptions,
  size?: readonly [number, number],
): BuiltModel {
  const strict = options.strict ?? true
  const built = network.architecture!.build(network.config, tensors, { strict, ...(size ? { size } : {}) })
  if (strict) refuseUnused(built.unused, files.label, network.name)
  return built
}

async function buildText(
  files: ModelFiles,
  network: Network,
  checkpoint: Checkpoint,
  options: ReadOptions,
): Promise<Reading> {
  const layout = await readTextLayout(files, network.modules)
  const built = build(files, network, checkpoint.tensors, options)
  const { graph, tap } = withLayout(built.graph, 'last_hidden_state', layout)
  return {
    graph,
    unused: built.unused,
    places: placesOf(built),
    tokenizer: layout.tokenizer,
    fingerprint: await fingerprintOf(network, layout.modules, [...checkpoint.paths, ...layout.modulePaths]),
    card: {
      description: `${network.name} of ${files.label}`,
      modality: 'text',
      licence: 'unknown',
      tap,
      penultimate: 'last_hidden_state',
      pool: layout.pool,
      normalize: layout.normalize,
      dimensions: 0,
      text: layout.text,
      ...(layout.notes === undefined ? {} : { notes: layout.notes }),
    },
  }
}

async function buildImage(
  files: ModelFiles,
  network: Network,
  checkpoint: Checkpoint,
  options: ReadOptions,
): Promise<Reading> {
  const { image, licence, notes } = await imageUse(files, network)
  const size = options.size ?? image.size
  const built = build(files, network, checkpoint.tensors, options, size)
  const tap = built.penultimate ?? built.features ?? built.graph.outputs[0]!.name
  return {
    graph: built.graph,
    unused: built.unused,
    places: placesOf(built),
    tokenizer: undefined,
    fingerprint: await fingerprintOf(network, size, checkpoint.paths),
    card: {
      description: `${network.name} of ${files.label}`,
      modality: 'image',
      licence,
      tap,
      ...(built.penultimate === undefined ? {} : { penultimate: built.penultimate }),
      pool: 'mean',
      normalize: true,
      dimensions: 0,
      image: { ...image, size },
      ...(notes === undefined ? {} : { notes }),
    },
  }
}

/** What the files say about the preparation of pictures, else what is usual. */
async function imageUse(
  files: ModelFiles,
  { of, config, path }: Network,
): Promise<Pick<FoundCard, 'notes' | 'licence'> & { image: typeof imageNet }> {
  if (of === 'timm' && isObject(config['pretrained_cfg'])) return readTimmConfig(files, config)
  const configured = await readPreprocessor(files, undefined, path)
  if (configured) return { image: configured, licence: 'unknown' }
  const stated = config['image_size'] ?? config['img_size']
  const [height, width = height] = [stated].flat()
  const size =
    typeof height === 'number' && typeof width === 'number' ? ([height, width] as const) : imageNet.size
  return {
    image: { ...imageNet, size },
    licence: 'unknown',
    notes: "The files say nothing of preprocessing: ImageNet's mean and deviation, the middle 87.5 %.",
  }
}

function placesOf({ graph: _, unused: __, ...places }: BuiltModel): Reading['places'] {
  return places
}

/** Of the architecture, its configuration, further settings, and the weights. */
function fingerprintOf(
  { name, config }: Network,
  settings: unknown,
  paths: readonly string[],
): Promise<string> {
  const text = JSON.stringify(settings, (_, value: unknown) => (value instanceof Map ? undefined : value))
  return fingerprint([name, JSON.stringify(config), text], paths)
}

function unknownArchitecture(files: ModelFiles, { name, of }: Network): PipiloError {
  const known = of === 'timm' ? knownNames() : knownTypes()
  const near = closest(name, known, 5)
  const list =
    of === 'timm'
      ? `${near.length ? `Closest: ${near.join(', ')}; ` : ''}${known.length} are known`
      : `Known: ${known.join(', ')}`
  return new PipiloError('MODEL_INVALID', `The architecture '${name}' of ${files.label} is not known.`, {
    input: files.label,
    hint: `${list}. Export it to ONNX and open that.`,
  })
}
