/** Densely connected networks (https://arxiv.org/abs/1608.06993), with the parameter names of timm and torchvision, which agree. */
import { op, type Value } from '../../graph/index.ts'
import { activation } from '../layers/activations.ts'
import { batchNorm2d, conv2d, type LayerInit } from '../layers/layers.ts'
import type { BuildModel, Stage } from '../model.ts'
import { buildCnn, type CnnConfig, type CnnInputs, stage } from './cnn.ts'
import { avgPool2d, blurPool2d, globalPool, maxPool2d } from './cnnLayers.ts'

export interface DenseNetConfig extends CnnConfig {
  /** Channels that each layer adds. */
  readonly growth_rate: number
  /** Layers of each block. */
  readonly block_config: readonly number[]
  /** Three convolutions of 3 × 3 instead of one of 7 × 7. Default `false`. */
  readonly deep_stem?: boolean
  /** Blur the stem's pooling. Default `false`. */
  readonly blur?: boolean
}

const preset = (
  growth_rate: number,
  block_config: readonly number[],
  more: Partial<DenseNetConfig> = {},
): DenseNetConfig => ({
  growth_rate,
  block_config,
  num_classes: 1000,
  input_size: [224, 224],
  first_conv: 'features.conv0',
  classifier: 'classifier',
  ...more,
})

/** Configurations by the names of timm and torchvision. */
export const denseNetPresets: ReadonlyMap<string, DenseNetConfig> = new Map(
  Object.entries({
    densenet121: preset(32, [6, 12, 24, 16]),
    densenet161: preset(48, [6, 12, 36, 24]),
    densenet169: preset(32, [6, 12, 32, 32]),
    densenet201: preset(32, [6, 12, 48, 32]),
    densenet264d: preset(48, [6, 12, 64, 48], { deep_stem: true }),
    densenetblur121d: preset(32, [6, 12, 24, 16], { deep_stem: true, blur: true }),
  }),
)

const CONV: LayerInit = { weight: { kind: 'kaiming_normal', nonlinearity: 'relu' } }
const HEAD: LayerInit = { bias: { kind: 'zeros' } }

/** Checkpoints of PyTorch's first years write `norm.1` for `norm1`. */
const dotted = (name: string) => [name.replace(/(denselayer\d+\.(?:norm|conv))([12])\./, '$1.$2.')]

/**
 * A DenseNet as a graph: input `pixel_values` (float32 [batch, 3, height, width]), output `logits`, or `embedding` where there are no
 * classes.
 *
 * @example
 * ```ts
 * const { graph } = buildDenseNet(denseNetPresets.get('densenet121')!, tensors)
 * ```
 *
 * @remarks
 * Layers: `features.conv0`, `features.norm0` (ReLU included), `features.pool0`, `features.denseblock1`, `features.transition1` and so on,
 * `features.norm5` (ReLU included), `global_pool`, `classifier`.
 *
 * @throws PipiloError `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export const buildDenseNet: BuildModel<DenseNetConfig> = (config, checkpoint, options = {}) =>
  buildCnn(config, checkpoint, options, { name: 'densenet', aliases: dotted, init: HEAD }, (inputs) => {
    const { pixels } = inputs
    const stages: Stage[] = []
    const features = pixels.builder.scope('features', { kind: 'Sequential' }, () => {
      const note = (name: string, x: Value) => {
        stages.push(stage(`features.${name}`, x, 2 << stages.length))
        return x
      }
      let x = poolStem(config, note(config.deep_stem ? 'norm2' : 'norm0', stem(config, inputs)))
      const last = config.block_config.length
      for (const [i, layers] of config.block_config.entries()) {
        x = denseBlock(config, inputs, `denseblock${i + 1}`, x, layers)
        if (i + 1 < last) x = transition(inputs, `transition${i + 1}`, note(`denseblock${i + 1}`, x))
      }
      return note('norm5', normAct(inputs, 'norm5', x))
    })
    return { features, penultimate: globalPool('global_pool', features), stages }
  })

function conv(
  { parameters }: CnnInputs,
  name: string,
  x: Value,
  channels: number,
  kernel: number,
  stride = 1,
) {
  const padding = (kernel - 1) / 2
  return conv2d(parameters, name, x, channels, { kernel, stride, padding, bias: false, init: CONV })
}

function normAct({ parameters }: CnnInputs, name: string, x: Value): Value {
  const normed = batchNorm2d(parameters, name, x)
  return x.builder.scope(name, () => activation('relu')(normed))
}

function stem({ growth_rate, deep_stem }: DenseNetConfig, inputs: CnnInputs): Value {
  const step = (i: number, x: Value, channels: number, kernel: number, stride = 1) =>
    normAct(inputs, `norm${i}`, conv(inputs, `conv${i}`, x, channels, kernel, stride))
  if (!deep_stem) return step(0, inputs.pixels, 2 * growth_rate, 7, 2)
  return step(2, step(1, step(0, inputs.pixels, growth_rate, 3, 2), growth_rate, 3), 2 * growth_rate, 3)
}

function poolStem({ blur }: DenseNetConfig, x: Value): Value {
  if (!blur) return maxPool2d('pool0', x, 3, 2, { padding: 1 })
  return x.builder.scope('pool0', { kind: 'Sequential' }, () =>
    blurPool2d('1', maxPool2d('0', x, 3, 1, { padding: 1 })),
  )
}

function denseBlock(
  { growth_rate }: DenseNetConfig,
  inputs: CnnInputs,
  name: string,
  x: Value,
  layers: number,
): Value {
  const { builder } = x
  return builder.scope(name, { kind: 'DenseBlock' }, () => {
    let all = x
    for (let i = 1; i <= layers; i++) {
      const added = builder.scope(`denselayer${i}`, { kind: 'DenseLayer' }, () => {
        const narrow = conv(inputs, 'conv1', normAct(inputs, 'norm1', all), 4 * growth_rate, 1)
        return conv(inputs, 'conv2', normAct(inputs, 'norm2', narrow), growth_rate, 3)
      })
      all = op.concat([all, added], 1)
    }
    return all
  })
}

function transition(inputs: CnnInputs, name: string, x: Value): Value {
  return x.builder.scope(name, { kind: 'DenseTransition' }, () => {
    const half = Math.floor((x.shape[1] as number) / 2)
    return avgPool2d('pool', conv(inputs, 'conv', normAct(inputs, 'norm', x), half, 1), 2)
  })
}
