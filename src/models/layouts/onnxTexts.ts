// Use of a foreign ONNX graph of texts: its tap, pooling and limits, as the folder around it says.
import type { Graph } from '../../graph/index.ts'
import type { ModelFiles } from '../files.ts'
import type { FoundCard } from './foundModel.ts'
import { lastSize, shapeOf } from './onnxOutputs.ts'
import { withLayout } from './sentence.ts'
import { readTextLayout, type TextLayout } from './textLayout.ts'

/** The graph with what its folder puts behind the network, and its card. `given`: the folder's layout, where it was read already. */
export async function textUse(
  graph: Graph,
  files: ModelFiles,
  common: Pick<FoundCard, 'description' | 'licence' | 'penultimate'>,
  given: TextLayout | undefined,
): Promise<{ readonly graph: Graph; readonly card: FoundCard }> {
  const hasConfig = (await files.has('modules.json')) || (await files.has('config.json'))
  const layout = given ?? (hasConfig ? await readTextLayout(files) : undefined)
  const tokens = tokenOutput(graph)
  const { graph: whole, tap } = layout ? withLayout(graph, tokens, layout) : { graph, tap: tokens }
  const card: FoundCard = {
    ...common,
    modality: 'text',
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

/** The output with a vector for each token, by the names that exporters use, else the first of three axes. */
function tokenOutput(graph: Graph): string {
  const names = graph.outputs.map(({ name }) => name)
  const known = ['last_hidden_state', 'token_embeddings'].find((name) => names.includes(name))
  const tokens = graph.outputs.find((output) => shapeOf(output)?.length === 3)
  return known ?? tokens?.name ?? names[0] ?? ''
}
