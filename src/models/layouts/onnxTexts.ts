// Use of a foreign ONNX graph of texts: its tap, pooling and limits, as the folder around it says.
import { Builder, cut, type Graph, op, type Value, type ValueInfo } from '../../graph/index.ts'
import type { ModelFiles } from '../files.ts'
import type { TextPreprocessing } from '../types.ts'
import type { FoundCard } from './foundModel.ts'
import type { SentenceModule } from './modules.ts'
import { plainName, withTextInputs } from './onnxInputs.ts'
import { belowHead, lastSize, shapeOf, shapesOf } from './onnxOutputs.ts'
import { withLayout } from './sentence.ts'
import { readTextLayout, type TextLayout } from './textLayout.ts'
import { textsOf } from './twoTowers.ts'

/** Names of outputs that are the embedding of a text, the surest first. */
const finished = [
  /^sentence_?embed(ding)?s?$/i,
  /^text_?embed(ding)?s?$/i,
  /^text_?features?$/i,
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
  const fed = withTextInputs(read, layout?.config ?? {})
  const { graph, ...found } = inOrder(fed, textTap(fed, layout))
  const { graph: whole, tap } = layout
    ? withLayout(graph, found.tap, found.isFinished ? { modules: behindFinished(layout) } : layout)
    : { graph, tap: found.tap }
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

/** A finished output has all modules behind it but the cut to `truncate_dim`, which is no part of a network, and may lack the norm before. */
function behindFinished({ modules }: TextLayout): readonly SentenceModule[] {
  if (modules.at(-1)?.kind !== 'Truncate') return []
  return modules.slice(modules.at(-2)?.kind === 'Normalize' ? -2 : -1)
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

/**
 * The graph with the axes of what is tapped in the order [batch, tokens, features], as far as their sizes show them; one vector a text that
 * has an axis of its own loses that.
 */
function inOrder(graph: Graph, found: TextTap): TextTap & { readonly graph: Graph } {
  const { tap } = found
  const [rows, length] = shapeOf(graph.inputs.find(({ name }) => name === 'input_ids')) ?? []
  const shape = shapesOf(graph)(tap)
  if (shape?.length !== 3 || rows === undefined || length === undefined || rows === length)
    return { graph, ...found }
  const [batch, tokens] = [shape.indexOf(rows), shape.indexOf(length)]
  const isKnown = typeof length === 'string' && length !== '' && rows !== ''
  if (isKnown && batch >= 0 && tokens >= 0 && (batch !== 0 || tokens !== 1)) {
    const features = 3 - batch - tokens
    const { built, name } = behind(graph, tap, 'tokens', (x) => op.transpose(x, [batch, tokens, features]))
    const notes = `The axes of ${tap}, [${shape.join(', ')}], in the order of tokens.`
    return { ...found, graph: built, tap: name, notes }
  }
  if (shape[0] !== rows || shape[1] === length || typeof shape[1] !== 'number' || !isKnown)
    return { graph, ...found }
  if (shape[1] !== 1) {
    const notes = `Its output ${tap} has ${shape[1]} vectors a text, not one a token: name a layer with tap.`
    return { graph, tap: '', notes }
  }
  const { built, name } = behind(graph, tap, 'vector', (x) => op.squeeze(x, [1]))
  return { ...found, graph: built, tap: name, isFinished: true, notes: `The one vector a text of ${tap}.` }
}

/** The graph with a further output that is made of one of its values. */
function behind(
  graph: Graph,
  value: string,
  what: string,
  make: (x: Value) => Value,
): { readonly built: Graph; readonly name: string } {
  const builder = Builder.from(graph)
  const name = `${value}.${what}`
  builder.output(name, make(builder.value(value)))
  return { built: builder.build(), name }
}

/** Names of outputs that are scores of classes. */
const scores = /logits|^prediction|^(class_?)?(scores?|labels?|prob(abilitie)?s?|similarit(y|ies))$/i

/** Networks whose output is that of a head, whatever it is called. */
const heads =
  /For(Sequence|Token)Classification$|ForQuestionAnswering$|ForMaskedLM$|ForMultipleChoice$|ForCausalLM$/

/** Operators that end in scores. */
const scoring = ['Softmax', 'LogSoftmax', 'Sigmoid', 'ArgMax', 'Softplus']

/** Tells outputs that are scores of classes. */
function scored(graph: Graph, layout: TextLayout | undefined): (info: ValueInfo) => boolean {
  const isHead = [layout?.config['architectures']].flat().some((name) => heads.test(String(name)))
  const ends = new Map(
    graph.nodes.flatMap(({ op: kind, outputs }) => outputs.map((name) => [name, kind] as const)),
  )
  const states = /hidden|token_embeddings|pooler/i
  return ({ name }) =>
    scores.test(plainName(name)) || scoring.includes(ends.get(name) ?? '') || (isHead && !states.test(name))
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
  const isLogits = scored(graph, layout)
  const usual = tokens ?? outputs.find((info) => shapeOf(info)?.length === 3 && !isLogits(info))
  const tap = usual ?? outputs[0] ?? graph.outputs[0]
  if (!tap) return { tap: '', notes: 'It has no output.' }
  const below = isLogits(tap) ? belowHead(graph, tap.name) : undefined
  if (below === undefined) {
    const what = lastSize(tap) === 1 ? 'one number' : isLogits(tap) ? 'scores' : undefined
    if (what === undefined) return { tap: tap.name }
    return { tap: '', notes: `Its output ${tap.name} is ${what}, not a vector: name a layer with tap.` }
  }
  return { tap: below, penultimate: below, notes: `What its head reads, below ${tap.name}: mean pooling.` }
}

/** Position of a text's first token, where the graph asks for positions. */
function firstPosition(graph: Graph, layout: TextLayout | undefined): number {
  if (!graph.inputs.some(({ name }) => name === 'position_ids')) return 0
  const { model_type: type, pad_token_id: padding } = layout?.config ?? {}
  if (!countsFromPadding.test(String(type))) return 0
  return (typeof padding === 'number' ? padding : 1) + 1
}
