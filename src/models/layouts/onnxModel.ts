// Reads models from ONNX files, with the card saved in them or one guessed from the graph and the files beside.
import { PipiloError } from '../../base/index.ts'
import { type Graph, inferShapes, type Shape, type ValueInfo } from '../../graph/index.ts'
import { isObject, type ModelFiles } from '../files.ts'
import { isChannelsLast, pictureInput } from '../model/embedding.ts'
import { fingerprint } from '../model/fingerprint.ts'
import { cardKey, tokenizerKey } from '../model/savedKeys.ts'
import { tokenizerPath } from '../tokenizers/index.ts'
import type { Card, Modality } from '../types.ts'
import type { FoundCard, FoundModel } from './foundModel.ts'
import { readPreprocessor } from './preprocessor.ts'
import { withLayout } from './sentence.ts'
import { model2vecTexts } from './staticModel.ts'
import { readTextLayout, type TextLayout } from './textLayout.ts'
import { imageNet } from './timm.ts'

const modalities: readonly Modality[] = ['text', 'image', 'text-image']

/** Operators that may stand between a classifier's last linear layer and its output. */
const afterHead = [
  'Add',
  'Softmax',
  'LogSoftmax',
  'Sigmoid',
  'Identity',
  'Cast',
  'Flatten',
  'Reshape',
  'Squeeze',
]

/**
 * Reads an `.onnx` file. One that Pipilo saved says itself how it is used; for others the folder around it says so
 * (sentence-transformers' layout, `preprocessor_config.json`), and else its inputs: `input_ids` is a text model, an input of
 * four axes an image model, prepared as networks for ImageNet usually are.
 */
export async function readOnnxModel(
  files: ModelFiles,
  file: string,
  overrides: Partial<Card>,
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
  const read = inferShapes(await files.graph(file))
  const saved = savedCard(read, files)
  const { graph, card: found } = saved
    ? { graph: read, card: saved }
    : await guessUse(read, files, overrides, layout)
  const outside = [...graph.initializers.values()].flatMap((tensor) =>
    'file' in tensor ? [tensor.file.path] : [],
  )
  const own = await files.open(file, async ({ path }) => path)
  const paths = new Set([own, ...outside])
  return {
    graph,
    card: found,
    unused: [],
    tokenizer: await findTokenizer(graph, files, folder, layout),
    fingerprint: await fingerprint(['onnx'], files, [...paths]),
  }
}

/**
 * The ONNX file of a folder: the export in `onnx/`, `model.onnx`, or the only one.
 *
 * @throws PipiloError `MODEL_INVALID` where there are several
 */
export async function findOnnx(
  files: ModelFiles,
  folder: string,
  names: readonly string[],
): Promise<string | undefined> {
  const prefix = folder === '' ? '' : `${folder}/`
  for (const path of [`${prefix}onnx/model.onnx`, 'onnx/model.onnx', `${prefix}model.onnx`]) {
    if (await files.has(path)) return path
  }
  const found = names.filter((name) => name.endsWith('.onnx'))
  if (found.length > 1) {
    throw new PipiloError('MODEL_INVALID', `${files.label} has several models: ${found.join(', ')}.`, {
      input: files.label,
      hint: 'Name the one that is meant.',
    })
  }
  return found[0] === undefined ? undefined : prefix + found[0]
}

function savedCard(graph: Graph, files: ModelFiles): FoundCard | undefined {
  const text = graph.metadata.get(cardKey)
  if (text === undefined) return undefined
  try {
    const card: unknown = JSON.parse(text)
    if (isObject(card) && modalities.some((known) => known === card['modality'])) {
      if (typeof card['tap'] === 'string' && typeof card['pool'] === 'string')
        return card as unknown as FoundCard
    }
  } catch {
    // The error is thrown below, as for a card without its parts.
  }
  throw new PipiloError('MODEL_INVALID', `${files.label} carries a card (${cardKey}) that cannot be read.`, {
    input: files.label,
  })
}

async function guessUse(
  graph: Graph,
  files: ModelFiles,
  overrides: Partial<Card>,
  given: TextLayout | undefined,
): Promise<{ readonly graph: Graph; readonly card: FoundCard }> {
  const isText = graph.inputs.some(({ name }) => name === 'input_ids')
  const modality = overrides.modality ?? (isText ? 'text' : 'image')
  const penultimate = belowHead(graph)
  const common = {
    description: `ONNX model of ${files.label}`,
    modality,
    licence: 'unknown',
    ...(penultimate === undefined ? {} : { penultimate }),
  }
  if (modality === 'text' && isFlat(graph)) {
    const [output] = graph.outputs
    const card: FoundCard = {
      ...common,
      tap: output?.name ?? '',
      pool: 'mean',
      normalize: false,
      dimensions: lastSize(output) ?? 0,
      text: model2vecTexts,
      notes:
        'Ids in one row, as in model2vec’s graphs: tokens as model2vec makes them, unknown words left out, 512 at most.',
    }
    return { graph, card }
  }
  if (modality === 'text') {
    const hasConfig = (await files.has('modules.json')) || (await files.has('config.json'))
    const layout = given ?? (hasConfig ? await readTextLayout(files) : undefined)
    const tokens = tokenOutput(graph)
    const { graph: whole, tap } = layout ? withLayout(graph, tokens, layout) : { graph, tap: tokens }
    const card: FoundCard = {
      ...common,
      tap,
      pool: layout?.pool ?? 'mean',
      normalize: layout?.normalize ?? false,
      dimensions: lastSize(whole.outputs.find(({ name }) => name === tap)) ?? 0,
      text: layout?.text ?? { maxLength: 512 },
      notes:
        layout?.notes ??
        (layout ? 'As its folder says.' : 'The file says nothing of its use: mean pooling, 512 tokens.'),
    }
    return { graph: whole, card }
  }
  const tap = penultimate ?? graph.outputs[0]?.name ?? ''
  const size = pictureSize(graph)
  const configured = await readPreprocessor(files, { taken: size })
  const card: FoundCard = {
    ...common,
    tap,
    pool: 'mean',
    normalize: true,
    dimensions: 0,
    image: configured ?? { ...imageNet, size },
    notes: configured
      ? 'Preprocessing as preprocessor_config.json says.'
      : "The file says nothing of preprocessing: ImageNet's mean and deviation, the middle 87.5 %.",
  }
  return { graph, card }
}

/** True of a graph that takes the ids of all texts in one row, and where each begins. */
function isFlat({ inputs }: Graph): boolean {
  const rank = (name: string) => shapeOf(inputs.find((input) => input.name === name))?.length
  return rank('input_ids') === 1 && rank('offsets') === 1
}

/** The output with a vector for each token, by the names that exporters use, else the first of three axes. */
function tokenOutput(graph: Graph): string {
  const names = graph.outputs.map(({ name }) => name)
  const known = ['last_hidden_state', 'token_embeddings'].find((name) => names.includes(name))
  const tokens = graph.outputs.find((output) => shapeOf(output)?.length === 3)
  return known ?? tokens?.name ?? names[0] ?? ''
}

/** Input of the last linear layer before the first output. */
export function belowHead(graph: Graph): string | undefined {
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)))
  let node = producers.get(graph.outputs[0]?.name ?? '')
  while (node && afterHead.includes(node.op)) {
    node = node.inputs.map((name) => producers.get(name)).find((producer) => producer !== undefined)
  }
  if (node?.op !== 'Gemm' && node?.op !== 'MatMul') return undefined
  const [features, weight] = node.inputs
  // A product of two computed values, as in attention, is no layer.
  return weight !== undefined && graph.initializers.has(weight) ? features : undefined
}

/** Height and width of the pictures that a graph takes; 224 where it takes any. */
export function pictureSize(graph: Graph): readonly [number, number] {
  const name = pictureInput(graph)
  const shape = shapeOf(graph.inputs.find((input) => input.name === name)) ?? []
  const [height, width] = isChannelsLast({ shape }) ? shape.slice(1, 3) : shape.slice(2, 4)
  return [typeof height === 'number' ? height : 224, typeof width === 'number' ? width : 224]
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

function shapeOf(info: ValueInfo | undefined): Shape | undefined {
  return info?.type?.kind === 'tensor' ? info.type.shape : undefined
}

/** Length of the last axis, where it is known. */
export function lastSize(info: ValueInfo | undefined): number | undefined {
  const size = shapeOf(info)?.at(-1)
  return typeof size === 'number' ? size : undefined
}
