// Reads models from ONNX files, with the card saved in them or one guessed from the graph and the files beside.
import { PipiloError, parseJson } from '../../base/index.ts'
import { constantsToInitializers, type Graph, holding, inferShapes, type Node } from '../../graph/index.ts'
import { checkCardOverrides } from '../cards/cardOverrides.ts'
import { checkImagePreprocessing } from '../cards/imagePreprocessing.ts'
import { isObject, type ModelFiles } from '../files.ts'
import { fingerprint } from '../model/fingerprint.ts'
import { embeds } from '../model/joinTowers.ts'
import { findPictureInput } from '../model/pictureInput.ts'
import { cardKey, tokenizerKey } from '../model/savedKeys.ts'
import { tokenizerPath } from '../tokenizers/index.ts'
import type { ImagePreprocessing, Modality, TowerModality } from '../types.ts'
import type { FoundCard, FoundModel, ReadOptions } from './foundModel.ts'
import { refuseModules } from './modules.ts'
import { flatUse, isFlat } from './onnxFlat.ts'
import { idsInput, plainName, withoutOddSizes } from './onnxInputs.ts'
import { pictureUse } from './onnxPictures.ts'
import { surroundings } from './onnxSurroundings.ts'
import { tensorUse } from './onnxTensors.ts'
import { textUse } from './onnxTexts.ts'
import { readOnnxTowers } from './onnxTowers.ts'
import type { TextLayout } from './textLayout.ts'

const modalities: readonly Modality[] = ['text', 'image', 'text-image', 'tensor']

/**
 * Reads an `.onnx` file. One that Pipilo saved says itself how it is used; for others the folder around it says so
 * (sentence-transformers' layout, `preprocessor_config.json`), and else its inputs: `input_ids` is a text model, one input of
 * pictures an image model, prepared as networks for ImageNet usually are. Any other graph takes tensors as they are.
 */
export async function readOnnxModel(
  files: ModelFiles,
  file: string,
  options: ReadOptions,
  layout?: TextLayout,
): Promise<FoundModel> {
  // Weights outside the file lie beside it under names that begin with its own.
  const slash = file.lastIndexOf('/') + 1
  const folder = file.slice(0, Math.max(slash - 1, 0))
  for (const name of await files.list(folder)) {
    if (/^[._]data/.test(name.slice(file.length - slash)) && name.startsWith(file.slice(slash))) {
      await files.get(file.slice(0, slash) + name)
    }
  }
  const whole = await files.graph(file)
  const saved = savedCard(whole, files)
  if (!saved && isBoth(whole, options)) {
    refuseModules(files, layout, 'two towers')
    return readOnnxTowers(files, (modality) => readOnnxModel(files, file, { ...options, modality }, layout))
  }
  const lifted = constantsToInitializers(saved ? whole : withoutOddSizes(whole))
  const defaults = lifted.inputs.filter(({ name }) => lifted.initializers.has(name))
  const read = inferShapes({ ...lifted, inputs: lifted.inputs.filter((info) => !defaults.includes(info)) })
  const tokenizer = await findTokenizer(read, files, folder, layout)
  const { graph, card: found } = saved
    ? { graph: read, card: saved }
    : await guessUse(read, { files, file, layout, hasTokenizer: tokenizer !== undefined }, options)
  const outside = [...graph.initializers.values()].flatMap((tensor) =>
    'file' in tensor ? [tensor.file.path] : [],
  )
  const own = await files.open(file, async ({ path }) => path)
  const paths = new Set([own, ...outside])
  return {
    graph,
    card: found.together === undefined ? { ...found, ...togetherOf(graph, saved === undefined) } : found,
    ...(defaults.length > 0 && { defaults }),
    unused: [],
    tokenizer,
    fingerprint: await fingerprint(['onnx'], files, [...paths]),
  }
}

function savedCard(graph: Graph, files: ModelFiles): FoundCard | undefined {
  const text = graph.metadata.get(cardKey)
  if (text === undefined) return undefined
  let cause: unknown
  try {
    const card: unknown = parseJson(text)
    if (isObject(card) && modalities.some((known) => known === card['modality'])) {
      if (typeof card['tap'] === 'string' && typeof card['pool'] === 'string') {
        checkCardOverrides(card)
        if (card['image'] !== undefined) checkImagePreprocessing(card['image'] as ImagePreprocessing)
        return card as unknown as FoundCard
      }
    }
  } catch (error) {
    cause = error
  }
  throw new PipiloError('MODEL_INVALID', `${files.label} carries a card (${cardKey}) that cannot be read.`, {
    input: files.label,
    ...(cause instanceof PipiloError && { hint: cause.message }),
    cause,
  })
}

/** Reads the towers of a folder in ONNX files of their own. */
export function readTowerFiles(
  files: ModelFiles,
  paths: Readonly<Record<TowerModality, string>>,
  options: ReadOptions,
): Promise<FoundModel> {
  return readOnnxTowers(files, (modality) => readOnnxModel(files, paths[modality], { ...options, modality }))
}

/** True of a graph of texts and pictures that ends in vectors of both. */
function isBoth(graph: Graph, { card, modality = card?.modality }: ReadOptions): boolean {
  if (modality !== undefined && modality !== 'text-image') return false
  const names = graph.outputs.map(({ name }) => plainName(name))
  return names.includes(embeds.text) && names.includes(embeds.image)
}

/** A graph's file, and what was found around it. */
interface Place {
  readonly files: ModelFiles
  readonly file: string
  readonly layout: TextLayout | undefined
  readonly hasTokenizer: boolean
}

/** The card of a file that carries none. */
async function guessUse(
  graph: Graph,
  { files, file, layout, hasTokenizer }: Place,
  options: ReadOptions,
): Promise<{ readonly graph: Graph; readonly card: FoundCard }> {
  const description = { description: `ONNX model of ${files.label}`, licence: 'unknown' }
  const told = options.card?.modality ?? options.modality
  const modality = told === 'text-image' ? undefined : told
  if ((modality ?? 'text') === 'text' && isFlat(graph)) return flatUse(graph, description)
  const isText = idsInput(graph, hasTokenizer) !== undefined
  if (modality === 'text' || (modality === undefined && isText))
    return textUse(graph, files, description, layout)
  if (modality === 'tensor') return tensorUse(graph, description)
  const around = await surroundings(files, file)
  // One input alone is found before and after it is known that there are pictures.
  const isPicture = [around.preprocessor !== undefined, true].every((told) => findPictureInput(graph, told))
  if (modality !== 'image' && !isPicture) return tensorUse(graph, description)
  return pictureUse(graph, files, around, options, description)
}

/** Inputs that run together: of a foreign graph those that are shown to. */
function togetherOf(graph: Graph, isForeign: boolean): Pick<FoundCard, 'together'> {
  if (graph.nodes.some(holding(graph, isByBatch))) return { together: 'none' }
  return isForeign ? { together: 'tried' } : {}
}

/** True of a node that computes by its whole batch: it quantises by the range of all, or normalises by the statistics of all. */
function isByBatch({ op, attributes: { training_mode: mode } }: Node): boolean {
  const isTraining = op === 'BatchNormalization' && mode?.type === 'int' && Number(mode.value) === 1
  return isTraining || /^DynamicQuantize/.test(op)
}

async function findTokenizer(
  graph: Graph,
  files: ModelFiles,
  folder: string,
  layout: TextLayout | undefined,
): Promise<string | undefined> {
  const text = graph.metadata.get(tokenizerKey)
  if (text !== undefined) return files.keep(text)
  return layout?.tokenizer ?? tokenizerPath(files, folder === '' ? '' : `${folder}/`)
}
