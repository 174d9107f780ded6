/** VGG (https://arxiv.org/abs/1409.1556), with and without batch normalisation, with the parameter names of timm or torchvision. */
import { op, type Value } from '../../graph/index.ts'
import { batchNorm2d, conv2d, dropout, type LayerInit, linear } from '../layers/layers.ts'
import type { BuildModel, Stage } from '../model.ts'
import { buildCnn, type CnnConfig, type CnnInputs, stage, tensorOf } from './cnn.ts'
import { act, adaptiveAvgPool2d, globalPool, maxPool2d } from './cnnLayers.ts'

export interface VggConfig extends CnnConfig {
  /** Convolutions of each of the five stages, which have 64, 128, 256, 512 and 512 channels. */
  readonly depths: readonly number[]
  readonly batch_norm: boolean
}

function preset(depths: readonly number[], batch_norm: boolean): VggConfig {
  return {
    depths,
    batch_norm,
    num_classes: 1000,
    input_size: [224, 224],
    first_conv: 'features.0',
    classifier: 'head.fc',
  }
}

const DEPTHS = {
  vgg11: [1, 1, 2, 2, 2],
  vgg13: [2, 2, 2, 2, 2],
  vgg16: [2, 2, 3, 3, 3],
  vgg19: [2, 2, 4, 4, 4],
}

/** Configurations by the names of timm and torchvision: `vgg16`, `vgg16_bn`. */
export const vggPresets: ReadonlyMap<string, VggConfig> = new Map(
  Object.entries(DEPTHS).flatMap(([name, depths]) => [
    [name, preset(depths, false)],
    [`${name}_bn`, preset(depths, true)],
  ]),
)

const CHANNELS = [64, 128, 256, 512, 512]
const CONV: LayerInit = {
  weight: { kind: 'kaiming_normal', mode: 'fan_out', nonlinearity: 'relu' },
  bias: { kind: 'zeros' },
}
const LINEAR: LayerInit = { weight: { kind: 'normal', std: 0.01 }, bias: { kind: 'zeros' } }

/**
 * VGG as a graph: input `pixel_values` (float32 [batch, 3, height, width]), output `logits`, or `embedding` where there are no
 * classes.
 *
 * @example
 * ```ts
 * const { graph } = buildVgg(vggPresets.get('vgg16')!, tensors)
 * ```
 *
 * @remarks
 * Layers: `features.0` and so on; then as in timm `pre_logits.fc1`, `pre_logits.fc2`, `head.global_pool`, `head.fc`, or with
 * torchvision's checkpoints `avgpool`, `classifier.0` to `classifier.6`.
 *
 * @param checkpoint tensors by timm's or torchvision's names
 * @throws PipiloError `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export const buildVgg: BuildModel<VggConfig> = (config, checkpoint, options = {}) => {
  const torchvision = tensorOf(checkpoint, 'classifier.0.weight') !== undefined
  const named = torchvision ? { ...config, classifier: 'classifier.6', drop_rate: 0.5 } : config
  return buildCnn(named, checkpoint, options, { name: 'vgg', init: LINEAR }, (inputs) => {
    const { features, stages } = body(config, inputs)
    const penultimate = torchvision ? classifierHead(inputs, features) : convolutionalHead(inputs, features)
    return { features, penultimate, stages }
  })
}

function body(config: VggConfig, { pixels, parameters }: CnnInputs) {
  return pixels.builder.scope('features', { kind: 'Sequential' }, () => {
    const stages: Stage[] = []
    let x: Value = pixels
    let at = 0
    for (const [i, depth] of config.depths.entries()) {
      for (let j = 0; j < depth; j++) {
        x = conv2d(parameters, `${at++}`, x, CHANNELS[i]!, { kernel: 3, padding: 1, init: CONV })
        if (config.batch_norm) x = batchNorm2d(parameters, `${at++}`, x)
        x = act(`${at++}`, 'relu', x)
      }
      stages.push(stage(`features.${at - 1}`, x, 1 << i))
      x = maxPool2d(`${at++}`, x, 2, 2)
    }
    stages.push(stage(`features.${at - 1}`, x, 1 << config.depths.length))
    return { features: x, stages }
  })
}

/** timm's: the two linear layers as convolutions, so that larger pictures give more positions to pool. */
function convolutionalHead({ parameters }: CnnInputs, features: Value): Value {
  const [height, width] = features.shape.slice(2) as [number, number]
  const last = features.builder.scope('pre_logits', { kind: 'ConvMlp' }, () => {
    const wide = adaptiveAvgPool2d('pool', features, [Math.max(7, height), Math.max(7, width)])
    const one = act('act1', 'relu', conv2d(parameters, 'fc1', wide, 4096, { kernel: 7, init: CONV }))
    return act('act2', 'relu', conv2d(parameters, 'fc2', one, 4096, { kernel: 1, init: CONV }))
  })
  return globalPool('head.global_pool', last)
}

function classifierHead({ parameters, mode }: CnnInputs, features: Value): Value {
  const { builder } = features
  const flat = builder.scope('flatten', () => op.flatten(adaptiveAvgPool2d('avgpool', features, [7, 7])))
  return builder.scope('classifier', { kind: 'Sequential' }, () => {
    const one = act('1', 'relu', linear(parameters, '0', flat, 4096, { init: LINEAR }))
    return act('4', 'relu', linear(parameters, '3', dropout(one, 0.5, mode), 4096, { init: LINEAR }))
  })
}
