// The inner values of an embedding that stand for the pixels of a picture and for the words of a text.
import { PipiloError } from '../../base/index.ts'
import type { ModelInput } from '../../embed/index.ts'
import { type Graph, inferShapes, type Node } from '../../graph/index.ts'

/** The value that holds the pixels as floats from 0 to 255, and the axis of its channels. */
export interface PixelPlace {
  readonly value: string
  readonly channelAxis: 1 | 3
}

/** Operators on bytes as integers that make them grey, or turn RGB to BGR; none of them moves an axis. */
const integerSteps = new Set(['Cast', 'Mul', 'ReduceSum', 'Add', 'Div', 'Gather'])

/**
 * The pixels of a graph that takes `pixels`: as the floats that the bytes become, in whatever channels that is. Before them nothing has
 * a gradient; behind them a mean is subtracted, and it does not matter what a model does with them.
 *
 * @throws PipiloError `MODEL_INVALID`
 */
export function pixelPlace(graph: Graph): PixelPlace {
  let value = 'pixels'
  // Axes of `pixels`, in the order in which they lie: batch, height, width, channels.
  let axes = [0, 1, 2, 3]
  for (;;) {
    const reader = onlyReader(graph, value)
    if (!reader) break
    value = reader.outputs[0]!
    if (reader.op === 'Cast' && isFloat32(reader)) {
      const channelAxis = axes.indexOf(3)
      if (channelAxis === 1 || channelAxis === 3) return { value, channelAxis }
      break
    }
    if (reader.op === 'Transpose') axes = permuted(axes, reader)
    else if (!integerSteps.has(reader.op)) break
  }
  throw new PipiloError(
    'MODEL_INVALID',
    'The graph takes bytes, and it is not seen where they become floats.',
    {
      input: 'pixels',
      hint: 'Use the model that it was exported from.',
    },
  )
}

/** The node that reads a value, where it is the only one, and whatever else it reads is a constant. */
function onlyReader({ nodes, initializers }: Graph, value: string): Node | undefined {
  const [reader, ...others] = nodes.filter(({ inputs }) => inputs.includes(value))
  if (!reader || others.length > 0) return undefined
  return reader.inputs.every((name) => name === value || name === '' || initializers.has(name))
    ? reader
    : undefined
}

function permuted(axes: readonly number[], node: Node): number[] {
  const order = node.attributes['perm']
  return order?.type === 'ints' ? order.value.map((axis) => axes[Number(axis)]!) : axes.toReversed()
}

/** ONNX's number of float32. */
const FLOAT32 = 1

function isFloat32({ attributes }: Node): boolean {
  const to = attributes['to']
  return to?.type === 'int' && Number(to.value) === FLOAT32
}

/**
 * The value of the words' embeddings alone, [batch, sequence, width]: the model's place for them, else what the one table gives that
 * `input_ids` are looked up in.
 *
 * @throws PipiloError `MODEL_INVALID`
 */
export function wordPlace({ model, graph }: Pick<ModelInput, 'model' | 'graph'>): string {
  if (model.places?.tokenEmbeddings !== undefined) return model.resolve('token_embeddings')
  const typed = inferShapes(graph)
  const lookups = graph.nodes.filter(
    ({ op, inputs, outputs }) => op === 'Gather' && inputs[1] === 'input_ids' && isTokens(typed, outputs[0]!),
  )
  const [lookup] = lookups
  if (lookup && lookups.length === 1) return lookup.outputs[0]!
  throw new PipiloError(
    'MODEL_INVALID',
    `${model.name} does not say which of its layers are the embeddings of words.`,
    { input: model.name, hint: 'Open the checkpoint that it was exported from.' },
  )
}

function isTokens(graph: Graph, value: string): boolean {
  const type = graph.values.get(value)?.type
  return type?.kind === 'tensor' && type.dtype === 'float32' && type.shape?.length === 3
}
