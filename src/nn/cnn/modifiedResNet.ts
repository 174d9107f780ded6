/** CLIP's ResNet (https://arxiv.org/abs/2103.00020): three convolutions at the start, averaging before strides, and attention pooling. */
import { op, type Value } from '../../graph/index.ts'
import { multiHeadAttention } from '../layers/attention.ts'
import { batchNorm2d, conv2d, linear } from '../layers/layers.ts'
import type { Stage } from '../model.ts'
import { towerPositions } from '../towers/twoTowers.ts'
import type { Parameters } from '../types.ts'
import { tokensOf } from '../vit/vitLayers.ts'

export interface ModifiedResNetOptions {
  /** Blocks of each of the four stages. */
  readonly layers: readonly number[]
  /** Channels of the first stage, a quarter of what it gives. */
  readonly width: number
  readonly heads: number
  /** Features of the result. */
  readonly out: number
  /** Positions that the checkpoint has for the attention pooling, that of the mean included. */
  readonly positions: number | undefined
  /** Side of the last map for pictures of the model's own size. */
  readonly side: number
}

/** A picture [batch, 3, height, width] to [batch, out], below the current scope. */
export function modifiedResNet(
  parameters: Parameters,
  pixels: Value,
  options: ModifiedResNetOptions,
): { embeds: Value; features: Value; stages: Stage[] } {
  const { width } = options
  const { builder } = pixels
  const unit = (x: Value, i: number, channels: number, stride: number) => {
    const convolved = conv2d(parameters, `conv${i}`, x, channels, {
      kernel: 3,
      stride,
      padding: 1,
      bias: false,
    })
    return op.relu(batchNorm2d(parameters, `bn${i}`, convolved))
  }
  const stem = unit(unit(unit(pixels, 1, width / 2, 2), 2, width / 2, 1), 3, width, 1)
  let x = op.averagePool(stem, [2, 2], { strides: [2, 2] })
  const stages = options.layers.map((count, stage) => {
    const channels = width * 2 ** stage
    x = builder.scope(`layer${stage + 1}`, { kind: 'Sequential' }, () => {
      let y = x
      for (let i = 0; i < count; i++) {
        const stride = stage > 0 && i === 0 ? 2 : 1
        y = builder.scope(`${i}`, { kind: 'Bottleneck' }, () => bottleneck(parameters, y, channels, stride))
      }
      return y
    })
    return { name: `${builder.path}.layer${stage + 1}`, stride: 4 * 2 ** stage, channels: 4 * channels }
  })
  return { embeds: attentionPool2d(parameters, x, options), features: x, stages }
}

function bottleneck(parameters: Parameters, x: Value, channels: number, stride: number): Value {
  const { builder } = x
  const pooled = (y: Value) =>
    stride > 1 ? op.averagePool(y, [stride, stride], { strides: [stride, stride] }) : y
  const plain = (name: string, norm: string, y: Value, out: number) =>
    batchNorm2d(parameters, norm, conv2d(parameters, name, y, out, { kernel: 1, bias: false }))
  const first = op.relu(plain('conv1', 'bn1', x, channels))
  const convolved = conv2d(parameters, 'conv2', first, channels, { kernel: 3, padding: 1, bias: false })
  const second = pooled(op.relu(batchNorm2d(parameters, 'bn2', convolved)))
  const third = plain('conv3', 'bn3', second, 4 * channels)
  if (stride === 1 && x.shape[1] === 4 * channels) return op.relu(op.add(third, x))
  const shortcut = builder.scope('downsample', { kind: 'Sequential' }, () =>
    plain('0', '1', pooled(x), 4 * channels),
  )
  return op.relu(op.add(third, shortcut))
}

/** The mean of the map asks all of its positions and itself. */
function attentionPool2d(parameters: Parameters, map: Value, options: ModifiedResNetOptions): Value {
  const { builder } = map
  const { heads, out, positions: count, side } = options
  return builder.scope('attnpool', { kind: 'AttentionPool2d' }, () => {
    const [, width, rows, columns] = map.shape as [unknown, number, number, number]
    const cells = tokensOf(map)
    const tokens = op.concat([op.reduceMean(cells, [1], { keepDims: true }), cells], 1)
    const name = `${builder.path}.positional_embedding`
    const table = (rowCount: number) =>
      parameters.weight(name, [rowCount, width], { kind: 'normal', std: width ** -0.5 })
    const placed = op.add(tokens, towerPositions(table, count, [side, side], [rows, columns], 1, true))
    const mean = op.slice(placed, [0], [1], { axes: [1] })
    const project = (part: string, x: Value) =>
      linear(parameters, part, x, width, { init: { weight: { kind: 'normal', std: width ** -0.5 } } })
    const attended = multiHeadAttention(
      project('q_proj', mean),
      project('k_proj', placed),
      project('v_proj', placed),
      {
        heads,
      },
    )
    return linear(parameters, 'c_proj', op.squeeze(attended, [1]), out)
  })
}
