/** AlexNet in the form of https://arxiv.org/abs/1404.5997, with torchvision's parameter names. */
import { op, type Value } from '../../graph/index.ts'
import { conv2d, dropout, linear } from '../layers/layers.ts'
import type { BuildModel } from '../model.ts'
import { buildCnn, type CnnConfig, stage } from './cnn.ts'
import { act, adaptiveAvgPool2d, maxPool2d } from './cnnLayers.ts'

/** torchvision's `alexnet`. */
export const alexNetPresets: ReadonlyMap<string, CnnConfig> = new Map([
  [
    'alexnet',
    {
      num_classes: 1000,
      input_size: [224, 224],
      first_conv: 'features.0',
      classifier: 'classifier.6',
    },
  ],
])

/** Index in `features`, channels, kernel, stride, padding. */
const CONVOLUTIONS = [
  [0, 64, 11, 4, 2],
  [3, 192, 5, 1, 2],
  [6, 384, 3, 1, 1],
  [8, 256, 3, 1, 1],
  [10, 256, 3, 1, 1],
] as const

/** Indices of the pooling layers. */
const POOLS = new Set([2, 5, 12])

/**
 * AlexNet as a graph: input `pixel_values` (float32 [batch, 3, height, width]), output `logits`, or `embedding` where there are no
 * classes.
 *
 * @example
 * ```ts
 * const { graph } = buildAlexNet(alexNetPresets.get('alexnet')!, tensors)
 * ```
 *
 * @remarks
 * Layers: `features.0` to `features.12`, `avgpool`, `classifier.1` to `classifier.6`.
 *
 * @throws PipiloError `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export const buildAlexNet: BuildModel<CnnConfig> = (config, checkpoint, options = {}) =>
  buildCnn(config, checkpoint, options, { name: 'alexnet' }, ({ pixels, parameters, mode }) => {
    const { builder } = pixels
    const stages = [] as ReturnType<typeof stage>[]
    const features = builder.scope('features', { kind: 'Sequential' }, () => {
      let x: Value = pixels
      for (const [at, channels, kernel, stride, padding] of CONVOLUTIONS) {
        x = act(`${at + 1}`, 'relu', conv2d(parameters, `${at}`, x, channels, { kernel, stride, padding }))
        if (!POOLS.has(at + 2)) continue
        stages.push(stage(`features.${at + 1}`, x, 4 << stages.length))
        x = maxPool2d(`${at + 2}`, x, 3, 2)
      }
      return x
    })
    const flat = builder.scope('flatten', () => op.flatten(adaptiveAvgPool2d('avgpool', features, [6, 6])))
    const penultimate = builder.scope('classifier', { kind: 'Sequential' }, () => {
      const hidden = act('2', 'relu', linear(parameters, '1', dropout(flat, 0.5, mode), 4096))
      return act('5', 'relu', linear(parameters, '4', dropout(hidden, 0.5, mode), 4096))
    })
    return { features, penultimate, stages }
  })
