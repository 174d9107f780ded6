// Reads models from TensorFlow.js files and makes their cards.
import { type Graph, layers } from '../../graph/index.ts'
import { isObject, type ModelFiles, readJson } from '../files.ts'
import {
  type ModelJson,
  readModelJson,
  readTfjsGraphModel,
  readTfjsLayersModel,
  type TfjsGraphModel,
} from '../formats/tfjs/index.ts'
import { fingerprint } from '../model/fingerprint.ts'
import { tokenizerPath } from '../tokenizers/index.ts'
import type { ImagePreprocessing } from '../types.ts'
import type { FoundCard, FoundModel } from './foundModel.ts'
import { belowHead } from './onnxOutputs.ts'

/** True if a file that was named is a TensorFlow.js model: one of the usual name, or JSON of any name with a topology. */
export async function isTfjs(files: ModelFiles, file: string): Promise<boolean> {
  const name = file.slice(file.lastIndexOf('/') + 1)
  if (name === 'model.json' || name === 'model.min.js') return true
  if (!name.endsWith('.json')) return false
  const content = await readJson(files, file)
  return isObject(content) && 'modelTopology' in content
}

/**
 * Reads a TensorFlow.js model, a layers model or a graph model.
 *
 * @param file its model.json, by any name, or the JavaScript module in its place
 */
export async function readTfjs(files: ModelFiles, file: string): Promise<FoundModel> {
  const json = await readModelJson(files, file)
  return json.format === 'graph'
    ? readGraph(files, json, file.slice(0, file.lastIndexOf('/') + 1))
    : readLayers(files, json)
}

async function readLayers(files: ModelFiles, json: ModelJson): Promise<FoundModel> {
  const model = await readTfjsLayersModel(json)
  return {
    graph: model.graph,
    ...blockedPlaces(model.blocked),
    unused: model.unused,
    tokenizer: undefined,
    fingerprint: await fingerprint(['tfjs'], files, model.files),
    card: withBlocked(
      pictureCard(`TensorFlow.js layers model of ${files.label}`, model.penultimate, model.inputSize),
      model.blocked,
    ),
  }
}

async function readGraph(files: ModelFiles, json: ModelJson, folder: string): Promise<FoundModel> {
  const model = await readTfjsGraphModel(json)
  const { graph, blocked } = model
  const isText = graph.inputs.some(({ name }) => name === 'input_ids')
  return {
    graph,
    ...blockedPlaces(blocked),
    unused: model.unused,
    tokenizer: isText ? await tokenizerPath(files, folder) : undefined,
    fingerprint: await fingerprint(['tfjs graph'], files, model.files),
    card: withBlocked(isText ? textCard(files, model) : graphPictureCard(files, model), blocked),
  }
}

/** The layers that are not there, for errors that say why. */
function blockedPlaces(blocked: ReadonlyMap<string, string>): Pick<FoundModel, 'places'> {
  return blocked.size > 0 ? { places: { blocked } } : {}
}

/** The card with a note on the layers that are not there. */
function withBlocked(card: FoundCard, blocked: ReadonlyMap<string, string>): FoundCard {
  if (blocked.size === 0) return card
  const reasons = [...new Set(blocked.values())].join('; ')
  const note = `${blocked.size} layer${blocked.size === 1 ? ' is' : 's are'} not computed: ${reasons}.`
  return { ...card, notes: card.notes === undefined ? note : `${card.notes} ${note}` }
}

function textCard(files: ModelFiles, { graph, maxLength, blocked, stated }: TfjsGraphModel): FoundCard {
  return {
    description: `TensorFlow.js graph model of ${files.label}`,
    modality: 'text',
    licence: 'unknown',
    tap: blocked.has(stated) ? stated : (graph.outputs[0]?.name ?? ''),
    pool: 'mean',
    normalize: true,
    dimensions: 0,
    text: { maxLength: maxLength ?? 512 },
    notes: 'Its first output; mean pooling where that has a vector a token.',
  }
}

function graphPictureCard(
  files: ModelFiles,
  { graph, inputSize, blocked, stated }: TfjsGraphModel,
): FoundCard {
  const penultimate = blocked.has(stated)
    ? stated
    : layerOf(graph, belowHead(graph) ?? graph.outputs[0]?.name ?? '')
  return pictureCard(`TensorFlow.js graph model of ${files.label}`, penultimate, inputSize)
}

/** TensorFlow's node whose last value it is, else the value itself. */
function layerOf(graph: Graph, value: string): string {
  const node = value.slice(0, value.lastIndexOf('/'))
  const name = node.replaceAll('/', '.')
  return layers(graph).some((layer) => layer.name === name && layer.value === value) ? node : value
}

function pictureCard(
  description: string,
  penultimate: string,
  size: ImagePreprocessing['size'] | undefined,
): FoundCard {
  const image: ImagePreprocessing | undefined = size && {
    size,
    crop: 'squash',
    interpolation: 'bilinear',
    mean: [0, 0, 0],
    std: [1, 1, 1],
  }
  return {
    description,
    modality: 'image',
    licence: 'unknown',
    tap: penultimate,
    penultimate,
    pool: 'mean',
    normalize: true,
    dimensions: 0,
    ...(image ? { image } : {}),
    notes: 'The files say nothing of preprocessing: pixels are scaled to 0…1.',
  }
}
