// Decides which input of a graph takes pictures, and how it wants them.
import { PipiloError } from '../../base/index.ts'
import { type Graph, MASK_COUNTER, type Node, type ValueInfo } from '../../graph/index.ts'
import type { DType } from '../../tensor/index.ts'

/** An input of pictures. */
export interface PictureInput {
  readonly name: string
  readonly dtype: DType
  readonly channels: 1 | 3
  /** True of [batch, height, width, channels]. */
  readonly channelsLast: boolean
  /** Undefined where the graph takes any. */
  readonly height: number | undefined
  readonly width: number | undefined
  /** Pictures at a time, where their number is fixed. */
  readonly rows: number | undefined
}

/** Names of inputs that are pictures whatever their shape, sound, and what goes beside pictures. */
const pictureNames = /pixel|ima?ge?s?(?![a-z])|picture|photo/i
const soundNames = /mel|spec|audio|wave|mfcc|fbank|speech|input_features/i
const maskNames = /mask/i
/** Symbols of axes that no picture has. */
const soundAxes = /frame|time|seq|len|sample|step|freq|mel|bin|audio|token|^t$/i

/**
 * The one input that takes pictures; undefined where none does, or several might.
 *
 * @param told true where the caller or the files beside say that the graph takes pictures. Then an input of one channel is one whatever its
 *   sides; else it has to be square or called like a picture, for a spectrogram has one channel, too; and one of three channels must have no axis of
 *   frames, and stand alone or be called like a picture: features of sound may be three
 */
export function findPictureInput(graph: Graph, told = false): PictureInput | undefined {
  const others = graph.inputs.filter(({ name }) => name !== MASK_COUNTER && !maskNames.test(name))
  const candidates = graph.inputs.flatMap((info) => {
    if (graph.initializers.has(info.name) || info.name === MASK_COUNTER || maskNames.test(info.name))
      return []
    const found = asPictures(graph, info, told) ?? []
    // Pictures beside other inputs are known by their name.
    return told || others.length === 1 || pictureNames.test(info.name) ? found : []
  })
  const [only, second] = candidates
  if (!second) return only
  const known = candidates.find(({ name }) => name === 'pixel_values')
  const named = candidates.filter(({ name }) => pictureNames.test(name))
  return known ?? (named.length === 1 ? named[0] : undefined)
}

/**
 * The input of a graph that is said to take pictures.
 *
 * @param label the model's name in errors
 * @throws PipiloError `MODEL_INVALID` where none does, or several might
 */
export function pictureInput(graph: Graph, label: string): PictureInput {
  const found = findPictureInput(graph, true)
  if (found) return found
  const inputs = graph.inputs.map(({ name, type }) => {
    const shape = type?.kind === 'tensor' ? type.shape : undefined
    return shape ? `${name} [${shape.map((size) => (size === '' ? '?' : size)).join(', ')}]` : name
  })
  throw new PipiloError(
    'MODEL_INVALID',
    `${label} has no one input that takes pictures; it has ${inputs.join(', ')}.`,
    {
      input: label,
      hint: 'Pictures are [batch, 3 or 1, height, width] or [batch, height, width, 3 or 1]. Run its graph, or embed with preprocess: false.',
    },
  )
}

function asPictures(graph: Graph, { name, type }: ValueInfo, told: boolean): PictureInput | undefined {
  if (type?.kind !== 'tensor' || (type.shape && type.shape.length !== 4)) return undefined
  const isNamed = pictureNames.test(name)
  const isBytes = type.dtype === 'uint8'
  const isWide = /^u?int(16|32|64)$/.test(type.dtype)
  // Wider integers may be anything.
  if (!/^b?float(16|32|64)?$/.test(type.dtype) && !isBytes && !(isWide && (told || isNamed))) return undefined
  const shape = type.shape ?? ['', '', '', '']
  const layout = layoutOf(graph, name, shape)
  if (!layout) return undefined
  const [height, width] = (layout.channelsLast ? shape.slice(1, 3) : shape.slice(2, 4)).map((side) =>
    typeof side === 'number' ? side : undefined,
  )
  if (!told && !isNamed) {
    const isSquare = height !== undefined && height === width
    if (shape.slice(1).some((side) => typeof side === 'string' && soundAxes.test(side))) return undefined
    if (soundNames.test(name) || (layout.channels === 1 && !isSquare)) return undefined
  }
  const rows = typeof shape[0] === 'number' ? shape[0] : undefined
  return { name, dtype: type.dtype, ...layout, height, width, rows }
}

type Layout = Pick<PictureInput, 'channels' | 'channelsLast'>

/** The axis of the channels: as the shape says it, else as the convolution that reads the input does. */
function layoutOf(graph: Graph, name: string, shape: readonly (number | string)[]): Layout | undefined {
  const [, second, , last] = shape
  if (second === 3) return { channels: 3, channelsLast: false }
  if (last === 3) return { channels: 3, channelsLast: true }
  const read = second === 1 || last === 1 ? undefined : readBy(graph, name)
  if (read) return read
  if (second === 1) return { channels: 1, channelsLast: false }
  if (last === 1) return { channels: 1, channelsLast: true }
  // As in all exports of transformers; a number there is another number of channels.
  const isFree = typeof second === 'string' && typeof last === 'string'
  return name === 'pixel_values' && isFree ? { channels: 3, channelsLast: false } : undefined
}

/** Operators through which an input's axes stay where they are. */
const pointwise = [
  'Identity',
  'Cast',
  'Sub',
  'Add',
  'Mul',
  'Div',
  'Clip',
  'Pad',
  'BatchNormalization',
  'QuantizeLinear',
  'DequantizeLinear',
  'Resize',
]

/** Convolutions, and which of their inputs is the weight. */
const convolutions = new Map([
  ['Conv', 1],
  ['FusedConv', 1],
  ['ConvInteger', 1],
  ['QLinearConv', 3],
])

/** Layout of an input as the first convolution after it shows it. */
function readBy(graph: Graph, input: string): Layout | undefined {
  const found = firstConvolution(graph, input)
  const channels = found && channelsOf(graph, found.node, convolutions.get(found.node.op)!)
  return channels === 1 || channels === 3 ? { channels, channelsLast: found!.isMoved } : undefined
}

/**
 * Side of the patches that a graph cuts pictures into, at the first convolution that reads them: pixels beyond the last whole patch would be
 * looked at by none. Undefined where it cuts none.
 */
export function patchSize(graph: Graph, input: string): readonly [height: number, width: number] | undefined {
  const node = firstConvolution(graph, input)?.node
  if (node === undefined) return undefined
  const strides = intsOf(node, 'strides')?.map(Number)
  const pads = intsOf(node, 'pads')?.map(Number) ?? []
  const [height = 1, width = 1] = strides ?? []
  const isWhole = height > 1 && width > 1 && `${strides}` === `${intsOf(node, 'kernel_shape')?.map(Number)}`
  return isWhole && pads.every((pad) => pad === 0) ? [height, width] : undefined
}

/** The first convolution that reads an input, and whether the channels were moved from the end to the front before it. */
function firstConvolution(graph: Graph, input: string): { node: Node; isMoved: boolean } | undefined {
  /** For each value that holds the input, whether its channels have been moved. */
  const moved = new Map<string, boolean>([[input, false]])
  for (const node of graph.nodes) {
    const isMoved = moved.get(node.inputs[0] ?? '') ?? moved.get(node.inputs[1] ?? '')
    if (isMoved === undefined) continue
    if (convolutions.has(node.op)) return { node, isMoved }
    const [output] = node.outputs
    if (output === undefined) continue
    if (pointwise.includes(node.op)) moved.set(output, isMoved)
    else if (node.op === 'Transpose' && !isMoved && `${intsOf(node, 'perm')}` === '0,3,1,2')
      moved.set(output, true)
  }
  return undefined
}

/** Channels that a convolution reads. */
function channelsOf(graph: Graph, node: Node, at: number): number | undefined {
  const weight = graph.initializers.get(node.inputs[at] ?? '')
  const info = graph.values.get(node.inputs[at] ?? '')
  const shape = weight?.shape ?? (info?.type?.kind === 'tensor' ? info.type.shape : undefined)
  const { group } = node.attributes
  const inGroup = shape?.[1]
  return typeof inGroup === 'number' ? inGroup * Number(group?.type === 'int' ? group.value : 1) : undefined
}

function intsOf(node: Node, name: string): readonly (number | bigint)[] | undefined {
  const attribute = node.attributes[name]
  return attribute?.type === 'ints' ? attribute.value : undefined
}
