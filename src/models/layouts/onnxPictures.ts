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

/** Height and width of the pictures that a graph takes; 224 where it takes any. */
export function pictureSize(graph: Graph): readonly [number, number] {
  const name = pictureInput(graph)
  const shape = shapeOf(graph.inputs.find((input) => input.name === name)) ?? []
  const [height, width] = isChannelsLast({ shape }) ? shape.slice(1, 3) : shape.slice(2, 4)
  return [typeof height === 'number' ? height : 224, typeof width === 'number' ? width : 224]
}
