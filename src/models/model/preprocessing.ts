// Puts the preparation of pictures before a graph: bytes in, and whatever the graph takes out of them.
import { PipiloError } from '../../base/index.ts'
import { Builder, type Dimension, type Graph, op, type Value } from '../../graph/index.ts'
import { imagePreprocessing } from '../../nn/index.ts'
import { tensor } from '../../tensor/index.ts'
import type { Card, ImagePreprocessing } from '../types.ts'
import { withRows } from './batch.ts'
import { type PictureInput, pictureInput } from './pictureInput.ts'

/** Statistics with which pixels stay the numbers from 0 to 255 that they are. */
export const rawPixels = { mean: 0, std: 1 / 255 } as const

/** Input of transformers' models that says which pixels are picture and which are padding. */
const PIXEL_MASK = 'pixel_mask'

/**
 * The graph with `pixels`, uint8 [batch, height, width, 3], in place of its input of pictures. That one may have its channels
 * first or last, three or one, of any dtype; a graph that takes integers gets the bytes as they are. A `pixel_mask` beside it says that all
 * is picture. A graph that takes `pixels` already stays as it is.
 */
export function withPreprocessing(graph: Graph, card: Card): Graph {
  if (graph.inputs.some(({ name }) => name === 'pixels')) return graph
  const image = imageOf(card)
  const input = pictureInput(graph, card.name)
  checkFit(card, image, input)
  const builder = Builder.from(graph)
  const target = builder.value(input.name)
  let pixels = imagePreprocessing(builder, image, input.dtype)
  builder.scope('preprocessing', () => {
    if (input.channelsLast) pixels = op.transpose(pixels, [0, 2, 3, 1])
  })
  const made = new Map([[pixels.name, input.name]])
  if (builder.has(PIXEL_MASK)) {
    const target = builder.value(PIXEL_MASK)
    made.set(builder.scope('preprocessing', () => wholePicture(pixels, target, image.size)).name, PIXEL_MASK)
  }
  const built = builder.build()
  const named = (name: string) => made.get(name) ?? name
  // The new nodes stand at the end and write names of their own: they move to the front and take the inputs' names.
  const added = built.nodes
    .slice(graph.nodes.length)
    .map((node) => ({ ...node, inputs: node.inputs.map(named), outputs: node.outputs.map(named) }))
  const values = new Map(built.values)
  for (const [name, given] of made) {
    const { type } = builder.value(given)
    values.delete(name)
    if (type) values.set(given, { name: given, type })
  }
  const replaced = new Set(made.values())
  return {
    ...built,
    inputs: built.inputs
      .filter(({ name }) => !replaced.has(name))
      .map((info) => (info.name === 'pixels' ? withRows(info, target.shape[0]) : info)),
    nodes: [...added, ...built.nodes.slice(0, graph.nodes.length)],
    values,
  }
}

/** Ones for each pixel of [batch, …] pictures, in the shape and dtype that the graph wants. */
function wholePicture(pixels: Value, target: Value, size: readonly [number, number]): Value {
  const { builder } = pixels
  const sizes = target.shape.slice(1)
  const sides = sizes.map((side: Dimension, axis) => {
    if (typeof side === 'number') return side
    // [batch, height, width], or with an axis of one channel before them.
    return size[axis - (sizes.length - 2)] ?? 1
  })
  const rows = op.shape(pixels, 0, 1)
  const shape = op.concat([rows, builder.constant(tensor('int64', [sides.length], sides))], 0)
  return op.cast(op.constantOfShape(shape, 1, 'float32'), target.dtype)
}

/** The card's preprocessing of pictures. */
function imageOf(card: Card): ImagePreprocessing {
  if (card.image) return card.image
  const { name, notes } = card
  throw new PipiloError(
    'MODEL_INVALID',
    `${name} does not say how its pictures are prepared.${notes === undefined ? '' : ` ${notes}`}`,
    {
      input: name,
      hint: 'Say it with the options size and card: { image: { size, crop, interpolation, mean, std } }.',
    },
  )
}

/** Refuses a preparation that is not for such an input. */
function checkFit(card: Card, { channels = 3, mean, std }: ImagePreprocessing, input: PictureInput): void {
  if (input.channels !== channels) {
    const plural = input.channels === 1 ? '' : 's'
    throw new PipiloError(
      'FORMAT_UNSUPPORTED',
      `${card.name} takes pictures of ${input.channels} channel${plural}, and pictures are decoded to ${channels}.`,
      {
        input: card.name,
        hint:
          input.channels === 1
            ? 'Say that they are grey: card: { image: { channels: 1, mean: [0.5], std: [0.5] } }.'
            : 'Leave channels: 1 out of its card.',
      },
    )
  }
  const isRaw =
    mean.every((value) => value === rawPixels.mean) && std.every((value) => value === rawPixels.std)
  if (!/float/.test(input.dtype) && !isRaw) {
    throw new PipiloError(
      'OPTION_INVALID',
      `${card.name} takes the bytes of pictures (${input.dtype}), and its card normalises them.`,
      { input: 'mean', hint: 'Leave mean and std out of the card: the model normalises by itself.' },
    )
  }
}
