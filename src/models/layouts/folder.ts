// Reads models from folders in the layout of transformers, sentence-transformers or timm.
import { closest, PipiloError } from '../../base/index.ts'
import type { Initializer } from '../../graph/index.ts'
import type { BuiltModel } from '../../nn/index.ts'
import { isObject, type ModelFiles } from '../files.ts'
import { type Checkpoint, findCheckpoint, readCheckpoint } from '../formats/checkpoint.ts'
import { fingerprint } from '../model/fingerprint.ts'
import { fileEnding } from '../model/precisions.ts'
import type { ImagePreprocessing } from '../types.ts'
import { knownNames, knownTypes } from './architectures.ts'
import { checkClasses, explained } from './contradictions.ts'
import { timmNames } from './efficientNetNames.ts'
import type { FolderContents, FoundCard, FoundModel, ReadOptions } from './foundModel.ts'
import { readLicence } from './licence.ts'
import { readModules, refuseModules } from './modules.ts'
import { findNetwork, type Network } from './network.ts'
import { findOnnx, findOnnxTowers } from './onnxFiles.ts'
import { readOnnxModel, readTowerFiles } from './onnxModel.ts'
import { pictureSize } from './onnxPictures.ts'
import { findPair, readPair } from './pairedTowers.ts'
import { buildForSize } from './pictureSize.ts'
import { atSize, isComplete, readPreprocessor } from './preprocessor.ts'
import { publishedPreparation } from './publishedPreparation.ts'
import { withLayout } from './sentence.ts'
import { findStatic, readStatic } from './staticModel.ts'
import { readTextLayout } from './textLayout.ts'
import { imageNet, readTimmConfig } from './timm.ts'
import { timmSize } from './timmArguments.ts'
import { findTowers, readTowers, towerTypes } from './twoTowers.ts'
import { refuseUnused } from './unused.ts'
import { unwrapped } from './wrapped.ts'
import { unwrappedText } from './wrappedText.ts'

/**
 * Reads a checkpoint and the configuration beside it: a folder of transformers, sentence-transformers or timm, or one file with
 * the option `architecture`. Where the architecture is not built here, its ONNX export is taken, if there is one.
 *
 * @param file the checkpoint, where the source names it
 * @throws PipiloError `MODEL_INVALID` for an architecture that is not known, with those that are; `PARAMETER_MISSING`,
 * `SHAPE_MISMATCH` and `PARAMETER_UNUSED` for a checkpoint that does not fit; those of the formats
 */
export async function readFolder(
  files: ModelFiles,
  options: ReadOptions,
  file?: string,
): Promise<FoundModel> {
  const checkpoints = new Map<string, Promise<Checkpoint>>()
  const contents: FolderContents = {
    modules: (await files.has('modules.json')) ? await readModules(files) : undefined,
    readTensors(path) {
      const reading = checkpoints.get(path) ?? readCheckpoint(files, path, options.prefix)
      checkpoints.set(path, reading)
      return reading
    },
  }
  const pair = file === undefined ? await findPair(files) : undefined
  if (pair) return readPair(files, pair, contents, options, readFolder)
  // Such a word names a file of the export, whatever else there is.
  const isExport = fileEnding(options.dtype) !== undefined
  const asTable = options.architecture === undefined && !isExport
  const table = asTable ? await findStatic(files, contents) : undefined
  if (table) {
    const exported = table.config && file === undefined ? await exportedTable(files, options) : undefined
    return exported
      ? readOnnxModel(files, exported, options)
      : readStatic(files, table, contents, options, file)
  }
  const towers = isExport ? undefined : await findTowers(files, contents, options, file)
  if (towers) return readTowers(files, towers, contents, options)
  const network = await findNetwork(files, contents, options, file)
  const { architecture } = network
  const folder = network.path.replace(/\/$/, '')
  const names = await files.list(folder)
  const weights =
    file ??
    (architecture ? prefixed(network.path, await findCheckpoint(files, names, network.path)) : undefined)
  if (architecture && weights !== undefined && !isExport) {
    const checkpoint = await contents.readTensors(weights)
    return architecture.modality === 'text'
      ? buildText(files, network, checkpoint, options)
      : buildImage(files, network, checkpoint, options)
  }
  const exported = await findOnnxTowers(files, options.dtype)
  if (exported) {
    refuseModules(files, network.modules, 'two towers')
    return readTowerFiles(files, exported, options)
  }
  const onnx = await findOnnx(files, folder, names, options.dtype)
  if (onnx !== undefined) {
    const isText = network.of === 'transformers' && architecture?.modality !== 'image'
    if (!isText) refuseModules(files, network.modules, network.name)
    return readOnnxModel(
      files,
      onnx,
      options,
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

/** The ONNX file of model2vec's folder, where the table itself is not there. */
async function exportedTable(files: ModelFiles, { dtype }: ReadOptions): Promise<string | undefined> {
  const names = await files.list('')
  return (await findCheckpoint(files, names)) === undefined ? findOnnx(files, '', names, dtype) : undefined
}

function prefixed(path: string, name: string | undefined): string | undefined {
  return name === undefined ? undefined : path + name
}

/** Builds the architecture, and complains of what does not fit together. `beside`: tensors that belong to something else. */
function build(
  files: ModelFiles,
  { architecture, config, stated, name }: Network,
  { tensors, beside = [] }: Built,
  options: ReadOptions,
  size?: readonly [number, number],
): BuiltModel {
  const strict = options.strict ?? true
  try {
    const { mode = 'inference' } = options
    const built = architecture!.build(config, tensors, { strict, mode, ...(size ? { size } : {}) })
    if (strict) {
      refuseUnused(built.unused, files.label, name)
      checkClasses(built.graph, files.label, stated)
    }
    return { ...built, unused: [...built.unused, ...beside] }
  } catch (error) {
    throw explained(error, files.label, { ...architecture!.preset, ...config }, tensors)
  }
}

interface Built {
  readonly tensors: ReadonlyMap<string, Initializer>
  readonly beside?: readonly string[]
}

async function buildText(
  files: ModelFiles,
  network: Network,
  checkpoint: Checkpoint,
  options: ReadOptions,
): Promise<FoundModel> {
  const layout = await readTextLayout(files, network.modules)
  const tensors = unwrappedText(checkpoint.tensors)
  const built = build(files, network, { tensors }, options)
  const { graph, tap } = withLayout(built.graph, 'last_hidden_state', layout)
  return {
    graph,
    unused: built.unused,
    places: placesOf(built),
    tokenizer: layout.tokenizer,
    fingerprint: await fingerprintOf(files, network, layout.modules, [
      ...checkpoint.paths,
      ...layout.modulePaths,
    ]),
    weights: checkpoint.note ?? '',
    card: {
      description: `${network.name} of ${files.label}`,
      modality: 'text',
      licence: await readLicence(files),
      tap,
      penultimate: 'last_hidden_state',
      pool: layout.pool,
      normalize: layout.normalize,
      dimensions: 0,
      text: layout.text,
      ...notesOf(layout.notes),
    },
  }
}

async function buildImage(
  files: ModelFiles,
  network: Network,
  checkpoint: Checkpoint,
  options: ReadOptions,
): Promise<FoundModel> {
  refuseModules(files, network.modules, network.name)
  const { image, licence, notes } = await imageUse(files, network, options)
  const inside = network.of === 'timm' ? unwrapped(timmNames(checkpoint.tensors), files.label) : checkpoint
  const built = buildForSize(
    (wanted) => build(files, network, inside, options, wanted),
    files.label,
    options.size,
    image.size,
    (built) => patchOf(network, built),
  )
  const size = options.size ?? image.size ?? pictureSize(built.graph)
  const tap = built.penultimate ?? built.features ?? built.graph.outputs[0]!.name
  return {
    graph: built.graph,
    unused: built.unused,
    places: placesOf(built),
    tokenizer: undefined,
    fingerprint: await fingerprintOf(files, network, size, checkpoint.paths),
    weights: [checkpoint.note, inside.note].filter((note) => note !== undefined).join(' '),
    card: {
      description: `${network.name} of ${files.label}`,
      modality: 'image',
      licence,
      tap,
      ...(built.penultimate === undefined ? {} : { penultimate: built.penultimate }),
      pool: 'mean',
      normalize: true,
      dimensions: 0,
      image: atSize(image, size),
      ...notesOf(notes),
    },
  }
}

function notesOf(...notes: readonly (string | undefined)[]): Pick<FoundCard, 'notes'> {
  const said = notes.filter((note) => note !== undefined)
  return said.length > 0 ? { notes: said.join(' ') } : {}
}

/** Side of the patches that a transformer cuts pictures into: that of its first stage, unless its configuration says it. */
function patchOf({ config }: Network, { patchEmbeddings, stages }: BuiltModel): number | undefined {
  if (patchEmbeddings === undefined) return undefined
  return typeof config['patch_size'] === 'number' ? config['patch_size'] : stages?.[0]?.stride
}

/** Preparation of pictures, of which the network may say the size. */
type ImageUse = Pick<FoundCard, 'notes' | 'licence'> & {
  readonly image: Omit<ImagePreprocessing, 'size'> & {
    readonly size?: ImagePreprocessing['size'] | undefined
  }
}

/** Names of the preparation in timm's configurations. */
const preparation = ['mean', 'std', 'crop_pct', 'crop_mode', 'interpolation', 'input_size']

/** Preparation of pictures as the files state it, else the usual one. */
async function imageUse(
  files: ModelFiles,
  network: Network,
  { card, architecture }: ReadOptions,
): Promise<ImageUse> {
  const { of, stated, path, name } = network
  const given = card?.image
  if (isComplete(given))
    return { image: given, licence: await readLicence(files), notes: 'Preprocessing as the card says.' }
  const usual = useNotes[name]
  if (of === 'timm' && isObject(stated['pretrained_cfg'])) {
    const { image, licence } = readTimmConfig(files, stated)
    return { image: { ...image, size: timmSize(stated) ?? image.size }, licence }
  }
  const licence = await readLicence(files)
  const sides = stated['image_size'] ?? stated['img_size']
  const [height, width = height] = [sides].flat()
  const size =
    typeof height === 'number' && typeof width === 'number' ? ([height, width] as const) : timmSize(stated)
  const configured =
    of === 'transformers' ? await readPreprocessor(files, { otherwise: size }, path) : undefined
  if (configured) return { image: configured, licence, ...(usual ? { notes: usual } : {}) }
  if (of === 'timm' && preparation.some((key) => stated[key] !== undefined)) {
    // timm's config.json of earlier days has no pretrained_cfg around it.
    return { image: { ...readTimmConfig(files, stated).image, ...(size && { size }) }, licence }
  }
  const isNamed = architecture !== undefined
  const known = of === 'timm' ? await publishedPreparation(name, network.published, isNamed) : undefined
  if (known) return { image: { ...known.image, ...(size && { size }) }, licence, notes: known.notes }
  const { size: _, ...image } = imageNet
  const unsaid =
    "The files say nothing of preprocessing; the default is taken: ImageNet's mean and deviation, the middle 87.5 %."
  return { image: { ...image, size }, licence, notes: usual ? `${usual} ${unsaid}` : unsaid }
}

/** Reasons for the choice of the embedding, where papers differ. */
const useNotes: Readonly<Record<string, string>> = {
  vit_mae:
    "The class token of the whole picture, as in the linear probes of MAE's paper; its fine-tuning takes the mean: tap 'patch_tokens'.",
}

function placesOf({ graph: _, unused: __, parameters: ___, ...places }: BuiltModel): FoundModel['places'] {
  return places
}

/** Fingerprint of the architecture, its configuration, further settings, and the weights. */
function fingerprintOf(
  files: ModelFiles,
  { name, config }: Network,
  settings: unknown,
  paths: readonly string[],
): Promise<string> {
  const text = JSON.stringify(settings, (_, value: unknown) => (value instanceof Map ? undefined : value))
  return fingerprint([name, JSON.stringify(config), text], files, paths)
}

function unknownArchitecture(files: ModelFiles, { name, of }: Network): PipiloError {
  const known = of === 'timm' ? knownNames() : [...knownTypes(), ...towerTypes]
  const near = closest(name, known, 5)
  const list = `${near.length ? `Closest: ${near.join(', ')}; ` : ''}${of === 'timm' ? `${known.length} are known` : `known: ${known.join(', ')}`}`
  return new PipiloError('MODEL_INVALID', `The architecture '${name}' of ${files.label} is not known.`, {
    input: files.label,
    hint: `${list.replace(/^k/, 'K')}. Export it to ONNX and open that.`,
  })
}
