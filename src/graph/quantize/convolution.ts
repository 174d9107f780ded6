// Finds the convolutions of a graph, with the padding, bias and batch normalisation to be merged into them.
import { loadTensor } from '../onnx/index.ts'
import { loadTensorSync } from '../onnx/load.ts'
import type { Node } from '../types.ts'
import type { Rewriter, Weight } from './rewriter.ts'
import { floats, quantizeRows } from './symmetric.ts'

/** A convolution with what its neighbours add to it: padding before it, a bias or batch normalisation after it. */
export interface Convolution {
  readonly node: Node
  readonly x: string
  readonly weight: Weight
  readonly bias: Weight | undefined
  readonly norm: Normalization | undefined
  /** Padding of the input before the convolution's own: begins, then ends. */
  readonly pads: readonly number[] | undefined
  /** Value that it writes: that of the last merged node. */
  readonly output: string
}

interface Normalization {
  readonly scale: Weight
  readonly offset: Weight
  readonly mean: Weight
  readonly variance: Weight
  readonly epsilon: number
}

/** The convolutions of a graph whose weights are constant, by the node in whose place they come. */
export interface Convolutions {
  readonly byNode: ReadonlyMap<Node, Convolution>
  /** Nodes that are merged into a convolution. */
  readonly merged: ReadonlySet<Node>
}

/** Finds convolutions, with padding, a bias and batch normalisation that can be merged into them. */
export function findConvolutions(rewriter: Rewriter): Convolutions {
  const byNode = new Map<Node, Convolution>()
  const merged = new Set<Node>()
  for (const node of rewriter.graph.nodes) {
    const weight =
      node.op === 'Conv' && node.domain === '' ? rewriter.weight(node.inputs[1] ?? '') : undefined
    const bias = node.inputs[2] ? rewriter.weight(node.inputs[2]) : undefined
    if (!weight || weight.transposed || (node.inputs[2] && !bias)) continue
    const pad = paddingBefore(rewriter, node)
    if (pad) merged.add(pad.node)
    const after = rewriter.onlyReader(node.outputs[0] ?? '')
    const norm = after && normalizationOf(rewriter, after)
    const added = after && !bias ? biasOf(rewriter, after, node.outputs[0]!, weight) : undefined
    if (norm || added) merged.add(node)
    const last = norm || added ? after! : node
    const [x = ''] = pad?.node.inputs ?? node.inputs
    const common = { node, x, weight, norm, pads: pad?.pads }
    byNode.set(last, { ...common, bias: bias ?? added, output: last.outputs[0]! })
  }
  return { byNode, merged }
}

function normalizationOf(rewriter: Rewriter, node: Node): Normalization | undefined {
  const { op, domain, inputs, outputs, attributes } = node
  if (op !== 'BatchNormalization' || domain !== '' || Number(attributes['training_mode']?.value ?? 0) !== 0)
    return undefined
  if (outputs.slice(1).some((name) => name !== '')) return undefined
  const [scale, offset, mean, variance] = inputs.slice(1).map((name) => rewriter.weight(name))
  if (!scale || !offset || !mean || !variance) return undefined
  return { scale, offset, mean, variance, epsilon: Number(attributes['epsilon']?.value ?? 1e-5) }
}

/** A number a channel, [channels, 1, 1], that a node adds to a convolution's output. */
function biasOf(
  rewriter: Rewriter,
  { op, domain, inputs }: Node,
  output: string,
  { source }: Weight,
): Weight | undefined {
  if (op !== 'Add' || domain !== '') return undefined
  const other = rewriter.weight(inputs.find((name) => name !== output) ?? '')
  const space = source.shape.slice(2).map(() => 1)
  const shape = [source.shape[0], ...space].join()
  const given = other?.source.shape.join()
  return given === shape || given === `1,${shape}` ? other : undefined
}

/** Zeros around pictures that only this convolution reads. */
function paddingBefore(
  rewriter: Rewriter,
  conv: Node,
): { readonly node: Node; readonly pads: readonly number[] } | undefined {
  const pad = rewriter.maker(conv.inputs[0] ?? '')
  if (pad?.op !== 'Pad' || rewriter.onlyReader(pad.outputs[0]!) !== conv) return undefined
  const [, amounts = '', value = ''] = pad.inputs
  const mode = pad.attributes['mode']?.value ?? 'constant'
  const automatic = conv.attributes['auto_pad']?.value ?? 'NOTSET'
  const source = rewriter.constant(amounts)
  if (mode !== 'constant' || value !== '' || automatic !== 'NOTSET' || !source || pad.inputs[3])
    return undefined
  const numbers = Array.from(loadTensorSync(source).data as BigInt64Array, Number)
  const rank = numbers.length / 2
  const [begins, ends] = [numbers.slice(0, rank), numbers.slice(rank)]
  const spatial = [...begins.slice(2), ...ends.slice(2)]
  const others = [...begins.slice(0, 2), ...ends.slice(0, 2)]
  if (others.some((size) => size !== 0) || spatial.some((size) => size < 0)) return undefined
  return { node: pad, pads: spatial }
}

/** The scale and zero point of a value as uint8. */
export interface Range {
  readonly scale: number
  readonly zeroPoint: number
}

/**
 * A convolution between integers: `DequantizeLinear` of weights (int8, a scale a channel) and bias (int32) before it. The
 * runtime makes one `QLinearConv` of them, if its input and output are quantised as well.
 *
 * @param x its input, dequantised
 * @param calibrated the range of `x`, and what to add to each channel
 */
export function integerConvolution(
  rewriter: Rewriter,
  { node, weight, bias, norm, pads, output }: Convolution,
  beside: Node,
  x: string,
  { range: { scale: xScale }, shift }: { readonly range: Range; readonly shift: Float32Array | undefined },
): Node[] {
  const { name, source } = weight
  const channels = source.shape[0] ?? 0
  const norms = norm ? [norm.scale, norm.offset, norm.mean, norm.variance] : []
  const sources = [weight, ...(bias ? [bias] : []), ...norms].map((one) => one.source)
  const recipe = `convolution ${bias ? 'bias' : ''} ${norm?.epsilon} ${xScale} ${shift?.join()}`
  const hasBias = bias !== undefined || norm !== undefined || shift !== undefined

  let made: Promise<Integers> | undefined
  const compute = () => {
    made ??= integersOf({ weight, bias, norm }, channels, xScale, shift)
    return made
  }
  const derive = (
    suffix: string,
    dtype: 'int8' | 'int32' | 'float32',
    shape: readonly number[],
    key: keyof Integers,
  ) =>
    rewriter.derive({
      name: `${name}_${suffix}`,
      dtype,
      shape,
      recipe: `${recipe} ${key}`,
      sources,
      async make() {
        const data = (await compute())[key]
        // All have been made: frees the large arrays.
        if (key === (hasBias ? 'biasScales' : 'scales')) made = undefined
        return { dtype, shape, data }
      },
    })
  const numbers = derive('quantized', 'int8', source.shape, 'weights')
  const scales = derive('scale', 'float32', [channels], 'scales')
  const axis = { axis: { type: 'int', value: 0 } } as const
  const weights = rewriter.node(
    beside,
    'DequantizeLinear',
    [numbers, scales, rewriter.zeroPoints(output, channels)],
    {
      dtypes: ['float32'],
      shape: source.shape,
      attributes: axis,
    },
  )
  const nodes = [weights]
  const inputs = [x, weights.outputs[0]!]
  if (hasBias) {
    const integers = derive('bias_quantized', 'int32', [channels], 'bias')
    const biasScales = derive('bias_scale', 'float32', [channels], 'biasScales')
    const added = rewriter.node(beside, 'DequantizeLinear', [integers, biasScales], {
      dtypes: ['float32'],
      shape: [channels],
      attributes: axis,
    })
    nodes.push(added)
    inputs.push(added.outputs[0]!)
  }
  const own = node.attributes['pads']?.type === 'ints' ? node.attributes['pads'].value.map(Number) : undefined
  const together = pads?.map((size, i) => size + (own?.[i] ?? 0))
  const attributes = together
    ? { ...node.attributes, pads: { type: 'ints', value: together } as const }
    : node.attributes
  return [...nodes, rewriter.node(beside, 'Conv', inputs, { outputs: [output], attributes })]
}

interface Integers {
  readonly weights: Int8Array
  readonly scales: Float32Array
  readonly bias: Int32Array
  readonly biasScales: Float32Array
}

async function integersOf(
  { weight, bias, norm }: Pick<Convolution, 'weight' | 'bias' | 'norm'>,
  channels: number,
  xScale: number,
  shift: Float32Array | undefined,
): Promise<Integers> {
  const load = async (one: Weight) => floats(await loadTensor(one.source))
  const kernel = Float32Array.from(await load(weight))
  const offsets = bias ? Float32Array.from(await load(bias)) : new Float32Array(channels)
  if (norm) {
    const [scale, offset, mean, variance] = await Promise.all(
      [norm.scale, norm.offset, norm.mean, norm.variance].map(load),
    )
    const size = kernel.length / channels
    for (let channel = 0; channel < channels; channel++) {
      const factor = scale![channel]! / Math.sqrt(variance![channel]! + norm.epsilon)
      for (let i = channel * size; i < (channel + 1) * size; i++) kernel[i]! *= factor
      offsets[channel] = (offsets[channel]! - mean![channel]!) * factor + offset![channel]!
    }
  }
  for (const [channel, by] of shift?.entries() ?? []) offsets[channel]! += by
  // The bias has to fit into int32 in units of both scales: a channel of tiny weights takes a larger scale.
  const least = offsets.map((one) => Math.abs(one) / (xScale * 2 ** 30))
  const { data, scales } = quantizeRows(kernel, channels, least)
  const biasScales = scales.map((one) => one * xScale)
  return {
    weights: data,
    scales,
    bias: Int32Array.from(offsets, (one, i) => Math.round(one / biasScales[i]!)),
    biasScales,
  }
}
