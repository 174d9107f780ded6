// Finds the embedding in a foreign ONNX graph of pictures.
import {
  type Dimension,
  type Graph,
  inferShapes,
  type Node,
  type Shape,
  type ValueInfo,
} from '../../graph/index.ts'
import type { PictureInput } from '../model/pictureInput.ts'
import type { Pooling } from '../types.ts'
import { belowHead, shapeOf } from './onnxOutputs.ts'
import type { Surroundings } from './onnxSurroundings.ts'

type Size = readonly [height: number, width: number]

/** The embedding of a graph, or none and why. */
export interface PictureTap {
  /** `''` for none. */
  readonly tap: string
  readonly pool: Pooling
  readonly penultimate?: string | undefined
  readonly notes?: string | undefined
}

/** The one of transformers' two outputs that is the embedding, as this library's own builds of these families take it. */
type Use = 'class token' | 'mean' | 'pooler_output'

const uses: Readonly<Record<Use, RegExp>> = {
  'class token': /^(vit|vit_mae|vit_msn|deit|dinov2|dinov2_with_registers|dinov3_vit)$/,
  mean: /^(ijepa|hiera)$/,
  pooler_output:
    /^(clip|siglip|siglip2|chinese_clip|beit|data2vec-vision|swin|swinv2|convnext|convnextv2|dinov3_convnext|resnet|regnet|bit|mobilenet_v[12]|mobilevit|mobilevitv2|efficientnet|poolformer|van|focalnet|dinat|cvt|levit|pvt|pvt_v2)$/,
}

/** Families that `preprocessor_config.json` shows where there is no `config.json`: the classes of processors. */
const processors: readonly (readonly [RegExp, Use])[] = [
  [/^(ViT|DeiT|DINOv3ViT)(Image|Feature)/, 'class token'],
  [
    /^(CLIP|ChineseCLIP|Siglip|Siglip2|Beit|ConvNext|MobileNetV[12]|MobileViT|EfficientNet|PoolFormer|LeviT|Levit|Pvt)(Image|Feature)/,
    'pooler_output',
  ],
]

/** Names of outputs that are embeddings, whatever stands before them. */
const finished = /embed|feature|descriptor/i
const ofPictures = /(image|img|picture|visual|vision|pixel)_?(embed|feature)/i
/** Names of outputs that are maps or boxes, whatever their shape. */
const maps = /logit|mask|seg|depth|heat|saliency|matte|alpha|boxes/i

/** Finds the embedding: a finished output, what the family uses of its tokens, or what stands below the classifier. */
export function pictureTap(
  graph: Graph,
  input: PictureInput,
  size: Size | undefined,
  around: Surroundings,
): PictureTap {
  const tensors = graph.outputs.filter(({ type }) => type === undefined || type.kind === 'tensor')
  const of = (dtypes: RegExp) =>
    tensors.filter(({ type }) => !type || ('dtype' in type && dtypes.test(type.dtype)))
  // Bytes are quantised vectors where there are no floats.
  const floats = of(/float/)
  const outputs = floats.length > 0 ? floats : of(/^u?int8$/)
  const named = (pattern: RegExp) =>
    outputs.find((output) => pattern.test(bare(output)) && (shapeOf(output)?.length ?? 2) === 2)
  const sized = atSize(graph, input, size)
  const check = (info: ValueInfo, found: PictureTap): PictureTap => {
    const why = unusable(graph, info, input, size)
    return why === undefined ? found : { tap: '', pool: 'mean', notes: why }
  }
  const embeds = named(ofPictures) ?? named(/^(embed|sentence_embed)/i)
  if (embeds) return check(embeds, pooled(graph, embeds, sized))
  const tokens = outputs.find((output) => /^last_hidden_state\b/.test(bare(output)))
  const pooler = outputs.find((output) => /^pooler_output\b/.test(bare(output)))
  if (tokens || pooler) {
    const use = useOf(graph, around, tokens, pooler, sized)
    if (pooler && (use === 'pooler_output' || !tokens)) return check(pooler, pooled(graph, pooler, sized))
    if (use === 'class token') return check(tokens!, { tap: tokens!.name, pool: 'cls' })
    const found = pooled(graph, tokens!, sized)
    if (use === 'mean') return check(tokens!, { ...found, pool: 'mean' })
    const lacks = 'The file lacks pooler_output, which this family uses: last_hidden_state in its place.'
    return check(tokens!, { ...found, notes: lacks })
  }
  const first = named(finished) ?? outputs[0]
  if (!first) return { tap: '', pool: 'mean', notes: 'It has no output of floats.' }
  const isMap = (shapeOf(first)?.length ?? 0) > 2 && unusable(graph, first, input, size) !== undefined
  const penultimate = isMap || finished.test(bare(first)) ? undefined : belowHead(graph, first.name)
  if (penultimate === undefined) return check(first, pooled(graph, first, sized))
  const info = infoOf(graph, penultimate)
  return check(info, { ...pooled(graph, info, sized), penultimate })
}

/** A name without what TensorFlow puts behind it. */
function bare({ name }: ValueInfo): string {
  return name.replace(/:\d+$/, '')
}

function infoOf(graph: Graph, name: string): ValueInfo {
  return graph.outputs.find((output) => output.name === name) ?? graph.values.get(name) ?? { name }
}

function useOf(
  graph: Graph,
  { config, preprocessor }: Surroundings,
  tokens: ValueInfo | undefined,
  pooler: ValueInfo | undefined,
  sized: () => Graph,
): Use {
  const isMap = shapeOf(tokens)?.length === 4
  const type = String(config['model_type'] ?? '').replace(/_vision(_model)?$/, '')
  for (const use of ['class token', 'mean', 'pooler_output'] as const)
    if (uses[use].test(type) && !(isMap && use === 'class token')) return use
  if (isMap) return 'pooler_output'
  const { image_processor_type: kind, feature_extractor_type: older } = preprocessor?.config ?? {}
  const processor = processors.find(([pattern]) => pattern.test(String(kind ?? older ?? '')))?.[1]
  const beyond = tokens && beyondPatches(sized(), tokens.name)
  // Swin's files name ViT's processor, too; its tokens are fewer than its patches.
  if (processor === 'class token' && beyond === 'other') return pooler ? 'pooler_output' : 'mean'
  if (processor) return processor
  // ViT's pooler ends in tanh, and its class token is what stands before it; others pool for good.
  if (pooler) {
    const isTanh = graph.nodes.some(({ op, outputs }) => op === 'Tanh' && outputs.includes(pooler.name))
    return isTanh ? 'class token' : 'pooler_output'
  }
  return beyond === 0 || beyond === 'other' ? 'mean' : 'class token'
}

/** Tap and pooling of a value: tokens with a class token by that one, maps and other tokens by their mean. */
function pooled(graph: Graph, { name }: ValueInfo, sized: () => Graph): PictureTap {
  const shape = shapeOf(infoOf(graph, name))
  if (shape?.length === 3) {
    const beyond = beyondPatches(sized(), name)
    return { tap: name, pool: typeof beyond === 'number' && beyond > 0 ? 'cls' : 'mean' }
  }
  // A map whose channels were moved to the end is read before that.
  const node = graph.nodes.find(({ outputs }) => outputs.includes(name))
  if (shape?.length === 4 && node && movesLast(node)) return { tap: node.inputs[0]!, pool: 'mean' }
  return { tap: name, pool: 'mean' }
}

function movesLast({ op, attributes }: Node): boolean {
  const { perm } = attributes
  return op === 'Transpose' && perm?.type === 'ints' && `${perm.value}` === '0,2,3,1'
}

/** The graph for pictures of one size, inferred when it is asked for: sizes inside are then numbers. */
function atSize(
  graph: Graph,
  { name, height, width, channelsLast }: PictureInput,
  size: Size | undefined,
): () => Graph {
  if (!size || (height !== undefined && width !== undefined)) return () => graph
  let inferred: Graph | undefined
  return () => {
    inferred ??= inferShapes({
      ...graph,
      inputs: graph.inputs.map((info) => {
        if (info.name !== name || info.type?.kind !== 'tensor' || !info.type.shape) return info
        const shape = [...info.type.shape]
        shape.splice(channelsLast ? 1 : 2, 2, ...size)
        return { ...info, type: { ...info.type, shape } }
      }),
    })
    return inferred
  }
}

/** Tokens that stand before those of the patches: a class token, one of distillation beside it, or four registers. */
const prefixes = [0, 1, 2, 5]

/** How many tokens there are beyond the positions of a convolution's map; `other` for no such number, undefined where that is not known. */
function beyondPatches(graph: Graph, tokens: string): number | 'other' | undefined {
  const count = shapeOf(infoOf(graph, tokens))?.[1]
  if (typeof count !== 'number') return undefined
  const grids = new Set<number>()
  for (const { op, outputs } of graph.nodes) {
    if (op !== 'Conv') continue
    const [, , height, width] = shapeOf(infoOf(graph, outputs[0] ?? '')) ?? []
    if (typeof height === 'number' && typeof width === 'number') grids.add(height * width)
  }
  if (grids.size === 0) return undefined
  return prefixes.find((prefix) => grids.has(count - prefix)) ?? 'other'
}

/** Why a value is no embedding of pictures. */
function unusable(
  graph: Graph,
  info: ValueInfo,
  input: PictureInput,
  size: Size | undefined,
): string | undefined {
  const shape = shapeOf(info)
  if (!shape) return undefined
  const described = `${info.name} [${shape.map((side) => (side === '' ? '?' : side)).join(', ')}]`
  const why = (what: string) =>
    `Its output ${described} is ${what}, and no embedding: choose a layer below it with tap.`
  if (shape.length < 2) return why('one number a picture')
  if (shape.length > 4) return why('neither a vector nor a map')
  const declared = graph.inputs.find(({ name }) => name === input.name)
  const given = shapeOf(declared) ?? []
  const sides = (input.channelsLast ? given.slice(1, 3) : given.slice(2, 4)).map((side, i) =>
    typeof side === 'string' ? (size?.[i] ?? side) : side,
  )
  const named = given.slice(input.channelsLast ? 1 : 2, input.channelsLast ? 3 : 4)
  /** In the proportions of the picture, and no smaller. */
  const isPlane = ([down, across]: Shape) => {
    if (down === named[0] && across === named[1] && down !== '') return true
    const [rows, columns] = [ratio(down, sides[0]), ratio(across, sides[1])]
    return rows !== undefined && rows >= 1 && rows === columns
  }
  if (shape.length === 4) {
    const node = graph.nodes.find(({ outputs }) => outputs.includes(info.name))
    const last = node !== undefined && movesLast(node)
    const channels = last ? shape[3] : shape[1]
    const plane = last ? shape.slice(1, 3) : shape.slice(2)
    const isPoint = plane.every((side) => side === 1)
    if (channels === 1) return why(isPoint ? 'one number a picture' : 'a map of one channel')
    if (!isPoint && (maps.test(info.name) || isPlane(plane) || isPlane(shape.slice(1, 3))))
      return why('a map of the picture')
    const isNhwc =
      !last &&
      typeof shape[1] === 'number' &&
      shape[1] === shape[2] &&
      shape[1] !== shape[3] &&
      shape[2] !== shape[3]
    if (isNhwc && input.channelsLast) return why('a map whose channels may stand last')
    return undefined
  }
  if (shape.at(-1) === 1) return why('one number a picture')
  if (shape.length === 2) return undefined
  if (isPlane(shape.slice(1)) || maps.test(info.name)) return why('a map of the picture')
  return looksLikeTokens(shape[1]!, sides) ? undefined : why('neither a vector nor tokens of a picture')
}

function ratio(a: Dimension | undefined, b: Dimension | undefined): number | undefined {
  return typeof a === 'number' && typeof b === 'number' ? a / b : undefined
}

/** True if so many tokens may be a grid of patches and up to five more, or their number is not known. */
function looksLikeTokens(count: Dimension, [height, width]: readonly Dimension[]): boolean {
  if (typeof count !== 'number' || typeof height !== 'number' || typeof width !== 'number') return true
  for (let patch = 1; patch <= Math.min(height, width) / 2; patch++) {
    const grid = Math.floor(height / patch) * Math.floor(width / patch)
    if (count >= grid && count <= grid + 5) return true
  }
  return false
}
