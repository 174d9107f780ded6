// Use of ONNX graphs that take the ids of all texts in one row, as model2vec's do.
import type { Graph } from '../../graph/index.ts'
import type { FoundCard } from './foundModel.ts'
import { inInt64 } from './onnxInputs.ts'
import { lastSize, shapeOf } from './onnxOutputs.ts'
import { model2vecTexts } from './staticModel.ts'

/** True of a graph whose `input_ids` are those of all texts in one row, and whose `offsets` say where each begins. */
export function isFlat({ inputs }: Graph): boolean {
  const rank = (name: string) => shapeOf(inputs.find((input) => input.name === name))?.length
  return rank('input_ids') === 1 && rank('offsets') === 1
}

/** The graph that {@link isFlat}, whose ids and offsets are int64, and its card: its first output is a vector a text. */
export function flatUse(
  graph: Graph,
  common: Pick<FoundCard, 'description' | 'licence' | 'penultimate'>,
): { readonly graph: Graph; readonly card: FoundCard } {
  const [output] = graph.outputs
  const card: FoundCard = {
    ...common,
    modality: 'text',
    tap: output?.name ?? '',
    pool: 'mean',
    normalize: false,
    dimensions: lastSize(output) ?? 0,
    text: model2vecTexts,
    notes:
      'Ids in one row, as in model2vec’s graphs: tokens as model2vec makes them, unknown words left out, 512 at most.',
  }
  return { graph: inInt64(graph, ['input_ids', 'offsets']), card }
}
