// Use of a foreign ONNX graph of texts: its tap, pooling and limits, as the folder around it says.
import { cut, type Graph, type ValueInfo } from '../../graph/index.ts'
import type { ModelFiles } from '../files.ts'
import type { TextPreprocessing } from '../types.ts'
import type { FoundCard } from './foundModel.ts'
import { plainName, withTextInputs } from './onnxInputs.ts'
import { belowHead, lastSize, shapeOf } from './onnxOutputs.ts'
import { withLayout } from './sentence.ts'
import { readTextLayout, type TextLayout } from './textLayout.ts'
import { textsOf } from './twoTowers.ts'

/** Names of outputs that are the embedding of a text, the surest first. */
const finished = [
  /^sentence_?embed(ding)?s?$/i,
  /^text_?embed(ding)?s?$/i,
  /^embed(ding)?s?$/i,
  /^dense_vecs?$/i,
]

/** Families whose pooled output is the embedding, where there is no projection behind it. */
const pooled = /^(clip|siglip2?)(_text(_model)?)?$/

/** Families that count positions from behind the padding's id. */
const countsFromPadding =
  /^(xlm-)?roberta(-xl|-prelayernorm)?$|^(camembert|mpnet|longformer|data2vec-text|ibert|esm|luke|xmod|layoutlmv3|lilt)$/

/** The graph with what its folder puts behind the network, and its card. `given`: the folder's layout, where it was read already. */
export async function textUse(
  read: Graph,
  files: ModelFiles,
  common: Pick<FoundCard, 'description' | 'licence'>,
  given: TextLayout | undefined,
): Promise<{ readonly graph: Graph; readonly card: FoundCard }> {
  const hasConfig = (await files.has('modules.json')) || (await files.has('config.json'))
  const layout = given ?? (hasConfig ? await readTextLayout(files) : undefined)
  const graph = withTextInputs(read, layout?.config ?? {})
  const found = textTap(graph, layout)
  const { graph: whole, tap } =
    layout && !found.isFinished ? withLayout(graph, found.tap, layout) : { graph, tap: found.tap }
  const { penultimate = belowHead(graph) } = found
  const length = shapeOf(graph.inputs.find(({ name }) => name === 'input_ids'))?.[1]
  const text = await preparation(files, layout)
  const positions = firstPosition(graph, layout)
  // Some exporters keep a mask that no node reads.
  const hasMask = tap !== '' && cut(whole, [tap]).inputs.some(({ name }) => name === 'attention_mask')
  const card: FoundCard = {
    ...common,
    ...(penultimate === undefined ? {} : { penultimate }),
    modality: 'text',
    tap,
    pool: found.isFinished ? 'mean' : (layout?.pool ?? 'mean'),
    normalize: layout?.normalize ?? false,
    dimensions: lastSize(whole.outputs.find(({ name }) => name === tap)) ?? 0,
    text: {
      ...text,
      ...(typeof length === 'number' && { maxLength: Math.min(text.maxLength, length) }),
      ...(positions > 0 && { positions }),
    },
    ...(!hasMask && typeof length !== 'number' && { together: 'equal' as const }),
    notes:
      found.notes ??
      layout?.notes ??
      (layout ? 'As its folder says.' : 'The file says nothing of its use: mean pooling, 512 tokens.'),
  }
  return { graph: whole, card }
}

/** How texts are prepared: those of CLIP and SigLIP as the family does. */
async function preparation(files: ModelFiles, layout: TextLayout | undefined): Promise<TextPreprocessing> {
  if (!layout) return { maxLength: 512 }
  const { config, network: path, text } = layout
  const [family] = /^(clip|siglip)/.exec(String(config['model_type'])) ?? []
  return family === undefined ? text : { ...text, ...(await textsOf(files, { type: family, config, path })) }
}

interface TextTap {
  readonly tap: string
  /** The embedding itself: nothing that the folder says comes behind it. */
  readonly isFinished?: true
  readonly penultimate?: string
  readonly notes?: string
}

/** A finished output, or the output with a vector for each token, by the names that exporters use, else the first of three axes. */
function textTap(graph: Graph, layout: TextLayout | undefined): TextTap {
  const outputs = graph.outputs.filter(
    ({ type }) => type?.kind !== 'tensor' || /float|^u?int8$/.test(type.dtype),
  )
  const named = (pattern: RegExp, rank: number): ValueInfo | undefined =>
    outputs.find((info) => pattern.test(plainName(info.name)) && (shapeOf(info)?.length ?? rank) === rank)
  const whole = finished.map((pattern) => named(pattern, 2)).find((info) => info !== undefined)
  const pooler = pooled.test(String(layout?.config['model_type'])) ? named(/^pooler_output$/, 2) : undefined
  const embedding = whole ?? pooler
  if (embedding) {
    return { tap: embedding.name, isFinished: true, notes: `The file's own ${plainName(embedding.name)}.` }
  }
  const tokens = named(/^(last_hidden_state|token_embeddings)$/, 3)
  const isLogits = ({ name }: ValueInfo) => /logits|^prediction/i.test(name)
  const usual = tokens ?? outputs.find((info) => shapeOf(info)?.length === 3 && !isLogits(info))
  const tap = usual ?? outputs[0] ?? graph.outputs[0]
  if (!tap) return { tap: '', notes: 'It has no output.' }
  const below = isLogits(tap) ? belowHead(graph, tap.name) : undefined
  if (below === undefined) return { tap: tap.name }
  return { tap: below, penultimate: below, notes: `What its head reads, below ${tap.name}: mean pooling.` }
}

/** Position of a text's first token, where the graph asks for positions. */
function firstPosition(graph: Graph, layout: TextLayout | undefined): number {
  if (!graph.inputs.some(({ name }) => name === 'position_ids')) return 0
  const { model_type: type, pad_token_id: padding } = layout?.config ?? {}
  if (!countsFromPadding.test(String(type))) return 0
  return (typeof padding === 'number' ? padding : 1) + 1
}
