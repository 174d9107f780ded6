/** The first squeeze-and-excitation networks (https://arxiv.org/abs/1709.01507), as timm keeps them under `legacy_*`. */
import { op, type Value } from '../../graph/index.ts'
import { batchNorm2d, conv2d, type LayerInit } from '../layers/layers.ts'
import type { BuildModel, Stage } from '../model.ts'
import { buildCnn, type CnnConfig, type CnnInputs, stage } from './cnn.ts'
import { act, globalPool, maxPool2d, squeezeExcite } from './cnnLayers.ts'

export interface SeNetConfig extends CnnConfig {
  /** `basic` and `resnet` stride in their first convolution, `resnext` and `senet` in their second. */
  readonly block: 'basic' | 'resnet' | 'resnext' | 'senet'
  readonly layers: readonly number[]
  /** Groups of the 3 × 3 convolutions. */
  readonly groups: number
}

const preset = (block: SeNetConfig['block'], layers: readonly number[], groups = 1): SeNetConfig => ({
  block,
  layers,
  groups,
  num_classes: 1000,
  input_size: [224, 224],
  first_conv: 'layer0.conv1',
  classifier: 'last_linear',
})

/** Configurations by timm's names. */
export const seNetPresets: ReadonlyMap<string, SeNetConfig> = new Map(
  Object.entries({
    legacy_senet154: preset('senet', [3, 8, 36, 3], 64),
    legacy_seresnet18: preset('basic', [2, 2, 2, 2]),
    legacy_seresnet34: preset('basic', [3, 4, 6, 3]),
    legacy_seresnet50: preset('resnet', [3, 4, 6, 3]),
    legacy_seresnet101: preset('resnet', [3, 4, 23, 3]),
    legacy_seresnet152: preset('resnet', [3, 8, 36, 3]),
    legacy_seresnext26_32x4d: preset('resnext', [2, 2, 2, 2], 32),
    legacy_seresnext50_32x4d: preset('resnext', [3, 4, 6, 3], 32),
    legacy_seresnext101_32x4d: preset('resnext', [3, 4, 23, 3], 32),
  }),
)

const INIT: LayerInit = { weight: { kind: 'kaiming_normal', mode: 'fan_out', nonlinearity: 'relu' } }

/**
 * An SE network as a graph: input `pixel_values` (float32 [batch, 3, height, width]), output `logits`, or `embedding` where there are no
 * classes. Layers: `layer0`, `pool0`, `layer1.0` and so on, `global_pool`, `last_linear`.
 *
 * @example
 * ```ts
 * const { graph } = buildSeNet(seNetPresets.get('legacy_seresnet50')!, tensors)
 * ```
 *
 * @throws PipiloError `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export const buildSeNet: BuildModel<SeNetConfig> = (config, checkpoint, options = {}) =>
  buildCnn(config, checkpoint, options, { name: 'senet' }, (inputs) => {
    const { pixels } = inputs
    const { builder } = pixels
    const first = stem(config, inputs)
    const stages: Stage[] = [stage('layer0', first, 2)]
    let x = maxPool2d('pool0', first, 3, 2, { ceil: true })
    for (const [i, blocks] of config.layers.entries()) {
      const name = `layer${i + 1}`
      x = builder.scope(name, { kind: 'Sequential' }, () => {
        let y = x
        for (let j = 0; j < blocks; j++)
          y = block(config, inputs, `${j}`, y, 64 << i, i > 0 && j === 0 ? 2 : 1)
        return y
      })
      stages.push(stage(name, x, 4 << i))
    }
    return { features: x, penultimate: globalPool('global_pool', x), stages }
  })

interface ConvOptions {
  readonly stride?: number
  readonly groups?: number
}

/** Convolution and norm. */
function step(
  { parameters }: CnnInputs,
  names: readonly [conv: string, norm: string],
  x: Value,
  channels: number,
  kernel: number,
  { stride = 1, groups = 1 }: ConvOptions = {},
): Value {
  const padding = (kernel - 1) / 2
  const y = conv2d(parameters, names[0], x, channels, {
    kernel,
    stride,
    padding,
    groups,
    bias: false,
    init: INIT,
  })
  return batchNorm2d(parameters, names[1], y)
}

const numbered = (i: number) => [`conv${i}`, `bn${i}`] as const

function stem({ block }: SeNetConfig, inputs: CnnInputs): Value {
  const { pixels } = inputs
  return pixels.builder.scope('layer0', { kind: 'Sequential' }, () => {
    if (block !== 'senet')
      return act('relu1', 'relu', step(inputs, numbered(1), pixels, 64, 7, { stride: 2 }))
    const one = act('relu1', 'relu', step(inputs, numbered(1), pixels, 64, 3, { stride: 2 }))
    const two = act('relu2', 'relu', step(inputs, numbered(2), one, 64, 3))
    return act('relu3', 'relu', step(inputs, numbered(3), two, 128, 3))
  })
}

function block(
  config: SeNetConfig,
  inputs: CnnInputs,
  name: string,
  x: Value,
  planes: number,
  stride: number,
): Value {
  const channels = config.block === 'basic' ? planes : 4 * planes
  return x.builder.scope(name, { kind: 'SEBlock' }, () => {
    const branch =
      config.block === 'basic'
        ? basic(inputs, x, planes, stride)
        : bottleneck(config, inputs, x, planes, stride)
    const attended = squeezeExcite(inputs.parameters, 'se_module', branch, {
      squeezed: channels >> 4,
      init: () => INIT,
    })
    const shortcut =
      x.shape[1] === channels && stride === 1 ? x : downsample(config, inputs, x, channels, stride)
    return act('relu', 'relu', op.add(attended, shortcut))
  })
}

function basic(inputs: CnnInputs, x: Value, planes: number, stride: number): Value {
  const one = act('relu', 'relu', step(inputs, numbered(1), x, planes, 3, { stride }))
  return act('relu', 'relu', step(inputs, numbered(2), one, planes, 3))
}

function bottleneck(
  { block, groups }: SeNetConfig,
  inputs: CnnInputs,
  x: Value,
  planes: number,
  stride: number,
): Value {
  const [narrow, width] = {
    basic: [planes, planes],
    resnet: [planes, planes],
    resnext: [2 * planes, 2 * planes],
    senet: [2 * planes, 4 * planes],
  }[block] as [number, number]
  const early = block === 'resnet'
  const one = step(inputs, numbered(1), x, narrow, 1, { stride: early ? stride : 1 })
  const two = step(inputs, numbered(2), act('relu', 'relu', one), width, 3, {
    stride: early ? 1 : stride,
    groups,
  })
  return step(inputs, numbered(3), act('relu', 'relu', two), 4 * planes, 1)
}

function downsample(
  { block }: SeNetConfig,
  inputs: CnnInputs,
  x: Value,
  channels: number,
  stride: number,
): Value {
  const kernel = block === 'senet' && stride === 2 ? 3 : 1
  return x.builder.scope('downsample', { kind: 'Sequential' }, () =>
    step(inputs, ['0', '1'], x, channels, kernel, { stride }),
  )
}
