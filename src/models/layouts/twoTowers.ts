// Reads models of texts and pictures: CLIP, SigLIP and OpenCLIP, whole or one tower.
import { type BuiltModel, buildClip, buildClipImage, buildClipText, buildOpenClip } from '../../nn/index.ts'
import { isObject, type ModelFiles, readJsonObject } from '../files.ts'
import { type Checkpoint, findCheckpoint } from '../formats/checkpoint.ts'
import { fingerprint } from '../model/fingerprint.ts'
import { bothEmbeds, joinTowers, logitTensors, type TowerParts } from '../model/joinTowers.ts'
import { tokenizerPath } from '../tokenizers/index.ts'
import type { ImagePreprocessing, TextPreprocessing } from '../types.ts'
import type { FolderContents, FoundCard, FoundModel, ReadOptions } from './foundModel.ts'
import { readLicence } from './licence.ts'
import { refuseModules } from './modules.ts'
import { lastSize } from './onnxOutputs.ts'
import { openAiConfig } from './openAiClip.ts'
import { isComplete, readPreprocessor } from './preprocessor.ts'
import { firstPresent } from './textLayout.ts'
import { clipPictures, openClipPictures, openClipTexts, siglipPictures, towerTexts } from './towerUse.ts'
import { refuseUnused } from './unused.ts'

type Config = Readonly<Record<string, unknown>>

/** Configuration and checkpoint of a model of texts and pictures, or of one tower of it. */
export interface TowerSource {
  /** transformers' `model_type`, or whose names the checkpoint has. */
  readonly type: (typeof towerTypes)[number] | 'open_clip'
  readonly config: Config
  /** Sub-folder, `''` or ending in a slash. */
  readonly path: string
  readonly weights: string
  readonly normalize: boolean
}

/** transformers' `model_type`s of models of two towers and of each tower. */
export const towerTypes = [
  'clip',
  'clip_text_model',
  'clip_vision_model',
  'siglip',
  'siglip_text_model',
  'siglip_vision_model',
] as const

/**
 * Finds the files of CLIP or SigLIP: a `config.json` of transformers (also behind the `modules.json` of sentence-transformers),
 * OpenCLIP's `open_clip_config.json`, or a checkpoint alone whose tensors have OpenAI's names.
 *
 * @param file the checkpoint, where the source names it
 */
export async function findTowers(
  files: ModelFiles,
  { modules, readTensors }: FolderContents,
  options: ReadOptions,
  file?: string,
): Promise<TowerSource | undefined> {
  if (options.architecture !== undefined) return undefined
  const path = modules?.network ?? ''
  const read = async (name: string) =>
    (await files.has(path + name)) ? readJsonObject(files, path + name) : undefined
  const config = await read('config.json')
  const type = towerTypes.find((known) => known === config?.['model_type'])
  const open = await read('open_clip_config.json')
  if (config && !type && !open) return undefined
  const found = file ?? (await findCheckpoint(files, await files.list(path.replace(/\/$/, '')), path))
  if (found === undefined) return undefined
  const weights = file ?? path + found
  const common = { path, weights, normalize: modules?.normalize ?? true }
  refuseModules(files, modules, type ?? 'open_clip')
  if (open && (/open_clip/.test(weights) || config === undefined)) {
    return { ...common, type: 'open_clip', config: open }
  }
  if (config) return type && { ...common, type, config }
  const { tensors } = await readTensors(weights)
  const shapes = openAiConfig(tensors)
  return shapes && { ...common, type: 'open_clip', config: shapes }
}

/**
 * Reads what {@link findTowers} found.
 *
 * @throws PipiloError `PARAMETER_MISSING`, `SHAPE_MISMATCH`, `PARAMETER_UNUSED` for a checkpoint that does not fit, `OPERATOR_UNSUPPORTED` for
 * towers of other libraries, and those of reading files
 */
export async function readTowers(
  files: ModelFiles,
  source: TowerSource,
  { readTensors }: FolderContents,
  options: ReadOptions,
): Promise<FoundModel> {
  const { type, config, path } = source
  const checkpoint = await readTensors(source.weights)
  const { tensors } = checkpoint
  const isText = type !== 'clip_vision_model' && type !== 'siglip_vision_model'
  const isImage = type !== 'clip_text_model' && type !== 'siglip_text_model'
  const image = isImage ? await picturesOf(files, source, options) : undefined
  const size = options.size ?? image?.size
  const strict = options.strict ?? true
  const building = { strict, ...(size ? { size } : {}) }
  const use = {
    files,
    licence: await readLicence(files),
    checkpoint,
    settings: [size, source.normalize],
    tokenizer: isText ? await tokenizerPath(files, path) : undefined,
    text: isText ? await textsOf(files, source) : undefined,
    image: image && size ? { ...image, size } : image,
  }
  if (!isText || !isImage) {
    const built = (isText ? buildClipText : buildClipImage)(config, tensors, building)
    if (strict) refuseUnused(built.unused, files.label, type)
    return oneTower(source, built, use)
  }
  const built = (type === 'open_clip' ? buildOpenClip : buildClip)(config, tensors, building)
  const { text, image: pictures, logitScale, logitBias } = built
  if (strict) refuseUnused(text.unused, files.label, type)
  const scalars = logitTensors(logitScale, logitBias, tensors)
  return {
    graph: joinTowers(text.graph, pictures.graph, scalars),
    towers: { text: partsOf(text), image: partsOf(pictures) },
    ...(await common(source, use, text.unused)),
    card: {
      ...cardOf(source, use, lastSize(text.graph.outputs.find(({ name }) => name === 'text_embeds')) ?? 0),
      modality: 'text-image',
      tap: bothEmbeds,
      logitScale,
      ...(logitBias === undefined ? {} : { logitBias }),
    },
  }
}

interface Use {
  readonly files: ModelFiles
  readonly licence: string
  readonly checkpoint: Checkpoint
  readonly settings: unknown
  readonly tokenizer: string | undefined
  readonly text: TextPreprocessing | undefined
  readonly image: ImagePreprocessing | undefined
}

async function oneTower(source: TowerSource, built: BuiltModel, use: Use): Promise<FoundModel> {
  const tap = built.penultimate ?? 'last_hidden_state'
  return {
    ...partsOf(built),
    ...(await common(source, use, built.unused)),
    card: {
      ...cardOf(source, use, 0),
      modality: use.text ? 'text' : 'image',
      tap,
      penultimate: tap,
    },
  }
}

async function common({ type, config }: TowerSource, use: Use, unused: readonly string[]) {
  const described = [type, JSON.stringify(config), JSON.stringify(use.settings)]
  return {
    unused,
    tokenizer: use.tokenizer,
    fingerprint: await fingerprint(described, use.files, use.checkpoint.paths),
    weights: use.checkpoint.note ?? '',
  }
}

function cardOf({ type, normalize }: TowerSource, { files, licence, text, image }: Use, dimensions: number) {
  return {
    description: `${type} of ${files.label}`,
    licence,
    pool: 'mean',
    normalize,
    dimensions,
    ...(text ? { text } : {}),
    ...(image ? { image } : {}),
  } satisfies Partial<FoundCard>
}

function partsOf({ graph, unused: _, parameters: __, ...places }: BuiltModel): TowerParts {
  return { graph, places }
}

async function picturesOf(
  files: ModelFiles,
  { type, config, path }: TowerSource,
  { card }: ReadOptions,
): Promise<ImagePreprocessing> {
  if (isComplete(card?.image)) return card.image
  if (type === 'open_clip') return openClipPictures(files, config)
  const stated = await readPreprocessor(files, {}, path)
  if (stated) return stated
  const vision = isObject(config['vision_config']) ? config['vision_config'] : config
  return type.startsWith('siglip') ? siglipPictures(vision['image_size']) : clipPictures(vision['image_size'])
}

/** How the text tower of a source reads. */
export async function textsOf(
  files: ModelFiles,
  { type, config, path }: Omit<TowerSource, 'type' | 'weights' | 'normalize'> & { readonly type: string },
): Promise<TextPreprocessing> {
  const read = async (name: string): Promise<Config> => {
    const place = await firstPresent(files, [path + name, name])
    return place === undefined ? {} : readJsonObject(files, place)
  }
  const stated = { ...(await read('special_tokens_map.json')), ...(await read('tokenizer_config.json')) }
  if (type === 'open_clip') return openClipTexts(config, stated)
  const text = isObject(config['text_config']) ? config['text_config'] : config
  return towerTexts(type.startsWith('siglip') ? 'siglip' : 'clip', text, stated)
}
