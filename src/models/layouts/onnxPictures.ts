// Use of a foreign ONNX graph of pictures: its tap, size and preparation.
import type { Graph } from '../../graph/index.ts'
import type { ModelFiles } from '../files.ts'
import { isChannelsLast, pictureInput } from '../model/embedding.ts'
import type { FoundCard } from './foundModel.ts'
import { shapeOf } from './onnxOutputs.ts'
import { readPreprocessor } from './preprocessor.ts'
import { imageNet } from './timm.ts'

/** The graph and its card. */
export async function pictureUse(
  graph: Graph,
  files: ModelFiles,
  common: Pick<FoundCard, 'description' | 'licence' | 'penultimate'>,
): Promise<{ readonly graph: Graph; readonly card: FoundCard }> {
  const tap = common.penultimate ?? graph.outputs[0]?.name ?? ''
  const size = pictureSize(graph)
  const configured = await readPreprocessor(files, { taken: size })
  const card: FoundCard = {
    ...common,
    modality: 'image',
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

/** True if a graph has one input of pictures: [batch, 3 or 1, height, width], or with the channels last. */
export function takesPictures(graph: Graph): boolean {
  const maps = graph.inputs.filter(
    (input) => !graph.initializers.has(input.name) && shapeOf(input)?.length === 4,
  )
  const input = maps.find(({ name }) => name === 'pixel_values') ?? maps[0]
  if (!input || (maps.length > 1 && input.name !== 'pixel_values')) return false
  const shape = shapeOf(input)!
  return [shape[1], shape[3]].some((size) => size === 3 || size === 1) || input.name === 'pixel_values'
}

/** Height and width of the pictures that a graph takes; 224 where it takes any. */
export function pictureSize(graph: Graph): readonly [number, number] {
  const name = pictureInput(graph)
  const shape = shapeOf(graph.inputs.find((input) => input.name === name)) ?? []
  const [height, width] = isChannelsLast({ shape }) ? shape.slice(1, 3) : shape.slice(2, 4)
  return [typeof height === 'number' ? height : 224, typeof width === 'number' ? width : 224]
}
