// Finds out whether a graph of pictures scales their pixels by itself, and from which range.
import { dataType, type Graph, type Initializer, type Node } from '../../graph/index.ts'

/** Values that are multiplied and added to pixels one after the other: x · scale + offset. */
interface Affine {
  readonly scale: number
  readonly offset: number
}

const passing = ['Cast', 'Identity', 'Transpose']

/** Range of pixels: from 0 to 255, from 0 to 1, from -1 to 1. */
export type PixelRange = 'bytes' | 'unit' | 'signed'

/**
 * The range of the pixels that a graph takes, as its first operators after an input show it: a scaling, a batch normalisation, a cut, a quantisation;
 * undefined where they say nothing, as before most networks.
 */
export function innerScale(graph: Graph, input: string): PixelRange | undefined {
  const constant = constants(graph)
  let value = input
  let affine: Affine | undefined
  for (const node of graph.nodes) {
    const at = node.inputs.indexOf(value)
    if (at < 0) continue
    // More than a scaling reads pixels in two ways.
    const next = node.outputs[0]
    if (next === undefined || node.domain !== '') break
    const range = affine === undefined && at === 0 ? rangeBy(node, graph, constant) : undefined
    if (range !== undefined) return range === 'other' ? undefined : range
    if (passing.includes(node.op)) {
      value = next
      continue
    }
    const other = node.inputs.length === 2 ? constant(node.inputs[1 - at] ?? '') : undefined
    const { scale, offset } = affine ?? { scale: 1, offset: 0 }
    if (other === undefined) break
    if (node.op === 'Mul') affine = { scale: scale * other, offset: offset * other }
    else if (node.op === 'Div' && at === 0) affine = { scale: scale / other, offset: offset / other }
    else if (node.op === 'Add') affine = { scale, offset: offset + other }
    else if (node.op === 'Sub')
      affine = at === 0 ? { scale, offset: offset - other } : { scale: -scale, offset: other - offset }
    else break
    value = next
  }
  if (!affine || affine.scale === 0) return undefined
  const { scale, offset } = affine
  // The pixel that becomes 0, and how far apart neighbours of a byte's levels come to lie.
  const centre = -offset / scale
  if (centre > 1.5 || Math.abs(scale) < 1 / 32) return 'bytes'
  return centre > 0 && Math.abs(scale) >= 1 ? 'unit' : undefined
}

/** The range that one operator shows that reads pixels as they come in; `other` for one that shows another range. */
function rangeBy(
  { op, inputs, attributes }: Node,
  graph: Graph,
  constant: (name: string) => number | undefined,
): PixelRange | 'other' | undefined {
  const within = (low: number, high: number): PixelRange | 'other' => {
    const isAt = (least: number, most: number) =>
      Math.abs(low - least) < 0.02 * (most - least) && Math.abs(high - most) < 0.02 * (most - least)
    return isAt(0, 1) ? 'unit' : isAt(0, 255) ? 'bytes' : isAt(-1, 1) ? 'signed' : 'other'
  }
  const float = (name: string, at: number) => {
    const { [name]: attribute } = attributes
    return attribute?.type === 'float' ? attribute.value : constant(inputs[at] ?? '')
  }
  switch (op) {
    case 'Cast':
      return attributes['to']?.type === 'int' && Number(attributes['to'].value) === dataType('uint8')
        ? 'bytes'
        : undefined
    case 'Clip': {
      const [low, high] = [float('min', 1), float('max', 2)]
      return low === undefined || high === undefined ? undefined : within(low, high)
    }
    case 'QuantizeLinear': {
      const [scale, zero] = [constant(inputs[1] ?? ''), constant(inputs[2] ?? '')]
      const least = graph.initializers.get(inputs[2] ?? '')?.dtype === 'int8' ? -128 : 0
      if (scale === undefined || zero === undefined) return undefined
      return within((least - zero) * scale, (least + 255 - zero) * scale)
    }
    case 'BatchNormalization': {
      const [centre, variance] = [constant(inputs[3] ?? ''), constant(inputs[4] ?? '')]
      if (centre === undefined || variance === undefined) return undefined
      if (centre > 1.5 || Math.sqrt(variance) > 8) return 'bytes'
      return centre > 0.2 && centre < 0.8 && Math.sqrt(variance) < 0.5 ? 'unit' : 'other'
    }
    default:
      return undefined
  }
}

/** The mean of a constant's numbers, which stand for channels; undefined for what is no small constant of floats. */
function constants(graph: Graph): (name: string) => number | undefined {
  const nodes = new Map(
    graph.nodes.flatMap((node) => (node.op === 'Constant' ? [[node.outputs[0], node] as const] : [])),
  )
  return (name) => {
    const attribute = nodes.get(name)?.attributes['value']
    const tensor: Initializer | undefined =
      graph.initializers.get(name) ?? (attribute?.type === 'tensor' ? attribute.value : undefined)
    if (!tensor || !('data' in tensor) || !/^(float(32|64)|u?int8)$/.test(tensor.dtype)) return undefined
    const numbers = tensor.data as ArrayLike<number>
    if (numbers.length === 0 || numbers.length > 3) return undefined
    let sum = 0
    for (let i = 0; i < numbers.length; i++) sum += numbers[i]!
    return sum / numbers.length
  }
}
