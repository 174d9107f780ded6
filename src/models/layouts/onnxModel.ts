// Reads models from ONNX files, with the card saved in them or one guessed from the graph and the files beside.
import { PipiloError } from '../../base/index.ts'
import { type Graph, inferShapes } from '../../graph/index.ts'
import { isObject, type ModelFiles } from '../files.ts'
import { fingerprint } from '../model/fingerprint.ts'
import { cardKey, tokenizerKey } from '../model/savedKeys.ts'
import { tokenizerPath } from '../tokenizers/index.ts'
import type { Card, Modality } from '../types.ts'
import type { FoundCard, FoundModel } from './foundModel.ts'
import { flatUse, isFlat } from './onnxFlat.ts'
import { belowHead } from './onnxOutputs.ts'
import { pictureUse } from './onnxPictures.ts'
import { textUse } from './onnxTexts.ts'
import type { TextLayout } from './textLayout.ts'

const modalities: readonly Modality[] = ['text', 'image', 'text-image']

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

/** The card of a file that carries none. */
async function guessUse(
  graph: Graph,
  files: ModelFiles,
  overrides: Partial<Card>,
  layout: TextLayout | undefined,
): Promise<{ readonly graph: Graph; readonly card: FoundCard }> {
  const isText = graph.inputs.some(({ name }) => name === 'input_ids')
  const modality = overrides.modality ?? (isText ? 'text' : 'image')
  const penultimate = belowHead(graph)
  const common = {
    description: `ONNX model of ${files.label}`,
    licence: 'unknown',
    ...(penultimate === undefined ? {} : { penultimate }),
  }
  if (modality === 'text' && isFlat(graph)) return flatUse(graph, common)
  return modality === 'text' ? textUse(graph, files, common, layout) : pictureUse(graph, files, common)
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
