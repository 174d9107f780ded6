// Finds the embedding in a foreign ONNX graph of pictures.
import type { Dimension, Graph, Node, Shape, ValueInfo } from '../../graph/index.ts'
import type { PictureInput } from '../model/pictureInput.ts'
import type { Pooling } from '../types.ts'
import { belowHead, shapeOf } from './onnxOutputs.ts'
import type { Surroundings } from './onnxPictures.ts'

/** The embedding of a graph, or none and why. */
export interface PictureTap {
  /** `''` for none. */
  readonly tap: string
  readonly pool: Pooling
  readonly penultimate?: string | undefined
  readonly notes?: string | undefined
}

/** Which of transformers' two outputs is the embedding, as this library's own builds of these families take it. */
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
  size: readonly [number, number] | undefined,
  around: Surroundings,
): PictureTap {
  const outputs = graph.outputs.filter(
    ({ type }) => type === undefined || (type.kind === 'tensor' && /float/.test(type.dtype)),
  )
  const named = (pattern: RegExp) =>
    outputs.find((output) => pattern.test(bare(output)) && (shapeOf(output)?.length ?? 2) === 2)
  const embeds = named(ofPictures) ?? named(/^(embed|sentence_embed)/i)
  const check = (info: ValueInfo, found: PictureTap): PictureTap => {
    const why = unusable(graph, info, input, size)
    return why === undefined ? found : { tap: '', pool: 'mean', notes: why }
  }
  const whole = (output: ValueInfo, notes?: string) =>
    check(output, { ...pooled(graph, output), ...(notes === undefined ? {} : { notes }) })
  if (embeds) return whole(embeds)
  const tokens = outputs.find((output) => /^last_hidden_state\b/.test(bare(output)))
  const pooler = outputs.find((output) => /^pooler_output\b/.test(bare(output)))
  if (tokens || pooler) {
    const use = useOf(graph, around, tokens, pooler)
    if (pooler && (use === 'pooler_output' || !tokens)) {
      return whole(pooler, tokens ? undefined : 'The file has pooler_output alone.')
    }
    const map = shapeOf(tokens!)?.length === 4
    if (use === 'class token' && !map) return { tap: tokens!.name, pool: 'cls', notes: 'The class token.' }
    return whole(
      tokens!,
      use === 'pooler_output' ? 'The file lacks pooler_output: the mean of last_hidden_state.' : undefined,
    )
  }
  const first = named(finished) ?? outputs[0]
  if (!first) return { tap: '', pool: 'mean', notes: 'It has no output of floats.' }
  const isMap = (shapeOf(first)?.length ?? 0) > 2 && unusable(graph, first, input, size) !== undefined
  const penultimate = isMap || finished.test(bare(first)) ? undefined : belowHead(graph, first.name)
  if (penultimate === undefined) return whole(first)
  const info = graph.values.get(penultimate) ?? { name: penultimate }
  return check(info, { ...pooled(graph, info), penultimate })
}

/** A name without what TensorFlow puts behind it. */
function bare({ name }: ValueInfo): string {
  return name.replace(/:\d+$/, '')
}

function useOf(
  graph: Graph,
  { config, preprocessor }: Surroundings,
  tokens?: ValueInfo,
  pooler?: ValueInfo,
): Use {
  const type = String(config['model_type'] ?? '').replace(/_vision(_model)?$/, '')
  for (const use of ['class token', 'mean', 'pooler_output'] as const) if (uses[use].test(type)) return use
  const kind = String(
    preprocessor?.config['image_processor_type'] ?? preprocessor?.config['feature_extractor_type'] ?? '',
  )
  const processor = processors.find(([pattern]) => pattern.test(kind))?.[1]
  if (shapeOf(tokens)?.length === 4) return 'pooler_output'
  if (processor === 'class token' && tokens && !fitsPatches(graph, tokens))
    return pooler ? 'pooler_output' : 'mean'
  if (processor) return processor
  // ViT's pooler ends in tanh, and its class token is what stands before it; others pool for good.
  if (pooler)
    return graph.nodes.some(({ op, outputs }) => op === 'Tanh' && outputs.includes(pooler.name))
      ? 'class token'
      : 'pooler_output'
  return tokens && hasClassToken(graph, tokens) === false ? 'mean' : 'class token'
}

/** Tap and pooling of a value: tokens with a class token by that one, maps and other tokens by their mean. */
function pooled(graph: Graph, info: ValueInfo): PictureTap {
  const shape = shapeOf(info)
  if (shape?.length === 3) return { tap: info.name, pool: hasClassToken(graph, info) ? 'cls' : 'mean' }
  // A map whose channels were moved to the end is read before that.
  const node = graph.nodes.find(({ outputs }) => outputs.includes(info.name))
  if (shape?.length === 4 && node && movesLast(node)) return { tap: node.inputs[0]!, pool: 'mean' }
  return { tap: info.name, pool: 'mean' }
}

function movesLast({ op, attributes }: Node): boolean {
  const { perm } = attributes
  return op === 'Transpose' && perm?.type === 'ints' && `${perm.value}` === '0,2,3,1'
}

/** Positions that the graph's first convolution of patches gives. */
function patchesOf(graph: Graph): Dimension | undefined {
  const conv = graph.nodes.find(({ op }) => op === 'Conv')
  const shape = shapeOf(
    graph.values.get(conv?.outputs[0] ?? '') ?? graph.outputs.find(({ name }) => name === conv?.outputs[0]),
  )
  const [, , height, width] = shape ?? []
  return typeof height === 'number' && typeof width === 'number' ? height * width : undefined
}

/** Whether more tokens come out than patches go in; undefined where that is not known. */
function hasClassToken(graph: Graph, tokens: ValueInfo): boolean | undefined {
  const more = tokensBeyondPatches(graph, tokens)
  return more === undefined ? undefined : more === 1 || more === 2 || more === 5
}

function fitsPatches(graph: Graph, tokens: ValueInfo): boolean {
  const more = tokensBeyondPatches(graph, tokens)
  return more === undefined || (more >= 0 && more <= 5)
}

function tokensBeyondPatches(graph: Graph, tokens: ValueInfo): number | undefined {
  const count = shapeOf(tokens)?.[1]
  const patches = patchesOf(graph)
  return typeof count === 'number' && typeof patches === 'number' ? count - patches : undefined
}

/** Why a value is no embedding of pictures. */
function unusable(
  graph: Graph,
  info: ValueInfo,
  input: PictureInput,
  size: readonly [number, number] | undefined,
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
