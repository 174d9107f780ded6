// Quantises convolutions and what follows them, with ranges of activations found on samples.
import { type Tensor, tensor } from '../../tensor/index.ts'
import { loadTensor } from '../onnx/index.ts'
import type { Graph, Node } from '../types.ts'
import { type Chain, calibrate, type Run, type Sample, shifts } from './calibrate.ts'
import { type Convolutions, findConvolutions, integerConvolution } from './convolution.ts'
import type { Rewriter } from './rewriter.ts'
import { floats, quantizeRows } from './symmetric.ts'

/** Operators that are computed in integers if all their inputs are quantised. */
const CARRYING = new Set(['Add', 'MaxPool', 'AveragePool', 'GlobalAveragePool', 'Concat'])
/** Operators whose result has the scale of their input. */
const SAME_SCALE = new Set(['MaxPool'])

/**
 * Convolutions in integers, with ranges of activations found on samples: `QuantizeLinear` and `DequantizeLinear` around
 * convolutions, sums and poolings, from which the runtime makes operators on integers. Bias, batch normalisation and padding
 * are merged into the weights.
 *
 * @returns what takes a node's place; undefined if the graph has no convolution
 */
export async function convolutionQuantizer(
  rewriter: Rewriter,
  skipped: (node: Node) => boolean,
  samples: readonly Sample[],
  evaluate: Run,
): Promise<{ first: Node[]; replace(node: Node): Node[] } | undefined> {
  const { graph } = rewriter
  const found = findConvolutions(rewriter)
  const byNode = new Map([...found.byNode].filter(([, { node }]) => !skipped(node)))
  if (byNode.size === 0) return undefined
  const chains = new Map<string, Chain>()
  for (const [last, { node, x, output, pads, weight }] of byNode) {
    const pad = pads ? [rewriter.maker(node.inputs[0]!)!] : []
    const rounded = roundedWeight(await loadTensor(weight.source))
    chains.set(output, {
      x,
      nodes: [...pad, ...new Set([node, last])],
      weights: new Map([[node.inputs[1]!, rounded]]),
    })
  }
  const values = quantizedValues(rewriter, byNode, skipped)
  const ranges = await calibrate(graph, [...values], samples, evaluate)
  const corrections = await shifts(graph, chains, ranges, samples, evaluate)
  for (const { op, inputs, outputs } of graph.nodes) {
    const range = SAME_SCALE.has(op) ? ranges.get(inputs[0] ?? '') : undefined
    if (range && ranges.has(outputs[0] ?? '')) ranges.set(outputs[0]!, range)
  }
  const mergedHere = new Set(
    [...byNode].flatMap(([last, { node, pads }]) => [
      ...(last === node ? [] : [node]),
      ...(pads ? [rewriter.maker(node.inputs[0]!)!] : []),
    ]),
  )
  const dequantized = new Map<string, string>()

  /** Rounds a value to its range; whoever reads it then reads the rounded one. */
  const round = (value: string, beside: Node): Node[] => {
    const range = ranges.get(value)
    if (!range) return []
    const parameters = [rewriter.scalar('float32', range.scale), rewriter.scalar('uint8', range.zeroPoint)]
    const shape = rewriter.shape(value)
    const down = rewriter.node(beside, 'QuantizeLinear', [value, ...parameters], { dtypes: ['uint8'], shape })
    const up = rewriter.node(beside, 'DequantizeLinear', [down.outputs[0]!, ...parameters], {
      dtypes: ['float32'],
      shape,
    })
    dequantized.set(value, up.outputs[0]!)
    return [down, up]
  }
  const reading = (name: string) => dequantized.get(name) ?? name

  return {
    first: [...values]
      .filter((name) => !rewriter.maker(name))
      .flatMap((name) => round(name, firstReader(graph, name))),
    replace(node) {
      if (mergedHere.has(node)) return []
      const convolution = byNode.get(node)
      const range = convolution && ranges.get(convolution.x)
      const own =
        convolution && range
          ? integerConvolution(rewriter, convolution, node, reading(convolution.x), {
              range,
              shift: corrections.get(convolution.output),
            })
          : [{ ...node, inputs: node.inputs.map(reading) }]
      return [...own, ...node.outputs.flatMap((name) => round(name, node))]
    },
  }
}

/** Weights as int8 gives them back. Normalisation scales whole channels, and does not change their rounding. */
function roundedWeight(weight: Tensor): Tensor {
  const channels = weight.shape[0] ?? 0
  const { data, scales } = quantizeRows(floats(weight), channels)
  const size = data.length / channels
  const numbers = Float32Array.from(data, (one, i) => one * scales[Math.floor(i / size)]!)
  return tensor('float32', weight.shape, numbers)
}

/** Values that convolutions read and write, and those computed from them in integers. */
function quantizedValues(
  rewriter: Rewriter,
  byNode: Convolutions['byNode'],
  skipped: (node: Node) => boolean,
): Set<string> {
  const values = new Set<string>()
  for (const { x } of byNode.values()) values.add(x)
  const written = (output: string) => {
    const reader = rewriter.onlyReader(output)
    const activation = reader?.domain === '' && (reader.op === 'Relu' || reader.op === 'Clip')
    values.add(activation ? reader.outputs[0]! : output)
  }
  for (const node of rewriter.graph.nodes) {
    const convolution = byNode.get(node)
    const carried =
      CARRYING.has(node.op) &&
      node.domain === '' &&
      !skipped(node) &&
      node.inputs.every((name) => values.has(name))
    if (convolution) written(convolution.output)
    else if (carried && node.outputs.length === 1) written(node.outputs[0]!)
  }
  return values
}

function firstReader({ nodes }: Graph, name: string): Node {
  return nodes.find(({ inputs }) => inputs.includes(name)) as Node
}
