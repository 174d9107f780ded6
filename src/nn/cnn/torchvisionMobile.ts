/**
 * MobileNetV2, MobileNetV3, EfficientNet and EfficientNetV2 with torchvision's parameter names. The networks are those of
 * efficientNet.ts; modules are numbered instead of named, and the last convolution of MobileNetV3 behind the pooling is a linear layer.
 */
import { op, type Value } from '../../graph/index.ts'
import { activation } from '../layers/activations.ts'
import { type LayerInit, linear } from '../layers/layers.ts'
import type { BuildModel, Stage } from '../model.ts'
import type { Initialization } from '../types.ts'
import { buildCnn, stage } from './cnn.ts'
import { act, globalPool, makeDivisible } from './cnnLayers.ts'
import { efficientNetPresets } from './efficientNetPresets.ts'
import {
  attend,
  type ConvUnit,
  conv,
  type MobileConfig,
  type Net,
  normAct,
  roundChannels,
} from './mobileLayers.ts'
import { mobileNetPresets } from './mobileNetPresets.ts'
import { type BlockSpec, decodeStages } from './mobileSpecs.ts'

/** The same sizes, and where torchvision differs from timm. */
export interface TorchvisionMobileConfig extends MobileConfig {
  /** Blocks are numbered through all stages instead of in each. */
  readonly flat: boolean
  /** How linear layers are drawn: normal with deviation 0.01, or uniform as in timm. Default `normal`. */
  readonly linear_init?: 'normal' | 'uniform'
  /** Name of the modules within a block. */
  readonly inner: 'block' | 'conv'
}

function of(preset: MobileConfig, variant: Partial<TorchvisionMobileConfig>): TorchvisionMobileConfig {
  return {
    ...preset,
    flat: false,
    inner: 'block',
    first_conv: 'features.0.0',
    classifier: 'classifier.1',
    drop_rate: 0.2,
    init_by_group: false,
    ...variant,
  }
}

/** torchvision's norms of the larger networks. */
const SLOW_NORM = { bn_eps: 1e-3, bn_momentum: 0.01 } as const

const efficient = (name: string, size: number, drop_rate: number, norm: Partial<MobileConfig> = {}) =>
  of(efficientNetPresets.get(name)!, {
    input_size: [size, size],
    drop_rate,
    bn_eps: 1e-5,
    linear_init: 'uniform',
    ...norm,
  })
const v3 = (name: string) =>
  of(mobileNetPresets.get(name)!, { flat: true, classifier: 'classifier.3', ...SLOW_NORM })

/** Configurations by torchvision's names. */
export const torchvisionMobilePresets: ReadonlyMap<string, TorchvisionMobileConfig> = new Map(
  Object.entries({
    mobilenet_v2: of(mobileNetPresets.get('mobilenetv2_100')!, { flat: true, inner: 'conv' }),
    mobilenet_v3_large: v3('mobilenetv3_large_100'),
    mobilenet_v3_small: v3('mobilenetv3_small_100'),
    efficientnet_b0: efficient('efficientnet_b0', 224, 0.2),
    efficientnet_b1: efficient('efficientnet_b1', 240, 0.2),
    efficientnet_b2: efficient('efficientnet_b2', 288, 0.3),
    efficientnet_b3: efficient('efficientnet_b3', 300, 0.3),
    efficientnet_b4: efficient('efficientnet_b4', 380, 0.4),
    efficientnet_b5: efficient('efficientnet_b5', 456, 0.4, SLOW_NORM),
    efficientnet_b6: efficient('efficientnet_b6', 528, 0.5, SLOW_NORM),
    efficientnet_b7: efficient('efficientnet_b7', 600, 0.5, SLOW_NORM),
    efficientnet_v2_s: efficient('efficientnetv2_s', 384, 0.2, { bn_eps: 1e-3 }),
    efficientnet_v2_m: efficient('efficientnetv2_m', 480, 0.3, { bn_eps: 1e-3 }),
    efficientnet_v2_l: efficient('efficientnetv2_l', 480, 0.4, { bn_eps: 1e-3 }),
  }),
)

/**
 * A network of torchvision's as a graph: input `pixel_values` (float32 [batch, 3, height, width]), output `logits`, or `embedding` where
 * there are no classes.
 *
 * @example
 * ```ts
 * const { graph } = buildTorchvisionMobile(torchvisionMobilePresets.get('mobilenet_v2')!, tensors)
 * ```
 *
 * @remarks
 * Layers: `features.0`, `features.1` and so on, `avgpool`, `classifier.1` (`classifier.0` and `classifier.3` in MobileNetV3).
 *
 * @throws PipiloError `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export const buildTorchvisionMobile: BuildModel<TorchvisionMobileConfig> = (
  config,
  checkpoint,
  options = {},
) => {
  const init = linearInit(config, options.classes ?? config.num_classes)
  return buildCnn(config, checkpoint, options, { name: 'mobilenet', init }, (inputs) => {
    const net: Net = { ...inputs, config, checkpoint }
    const { act: kind = 'relu', stem_size = 32, num_features = 1280, flat, efficient_head } = config
    const { builder } = net.pixels
    let channels = roundChannels(config, stem_size)
    let x = unit(net, 'features.0', net.pixels, channels, { kernel: [3], stride: 2 }, kind)
    let stride = 2
    let at = 1
    const stages: Stage[] = []
    let last = { name: 'features.0', value: x }
    const close = () => stages.push(stage(last.name, last.value, stride))
    for (const [i, specs] of decodeStages(config.arch_def, config).entries()) {
      for (const [j, spec] of specs.entries()) {
        const step = j === 0 ? spec.stride : 1
        if (step > 1) {
          close()
          stride *= step
        }
        const name = flat ? `features.${at++}` : `features.${i + 1}.${j}`
        const outputs = roundChannels(config, spec.channels)
        // The last stage of MobileNetV3 is a bare convolution.
        const bare = flat && spec.type === 'cn'
        const unitOf = () => unit(net, name, x, outputs, { kernel: spec.kernel, stride: step }, kind)
        x = bare ? unitOf() : block(net, name, x, spec, channels, outputs, step)
        last = { name: flat ? name : `features.${i + 1}`, value: x }
        channels = outputs
      }
    }
    if (efficient_head) {
      close()
      const pooled = globalPool('avgpool', x)
      const penultimate = builder.scope('classifier', { kind: 'Sequential' }, () =>
        act('1', kind, linear(net.parameters, '0', pooled, num_features, { init })),
      )
      return { features: x, penultimate, stages }
    }
    close()
    const name = flat ? `features.${at}` : `features.${config.arch_def.length + 1}`
    const features = unit(net, name, x, num_features, { kernel: [1] }, kind)
    return { features, penultimate: globalPool('avgpool', features), stages }
  })
}

function linearInit({ linear_init = 'normal' }: TorchvisionMobileConfig, classes: number): LayerInit {
  const range = 1 / Math.sqrt(Math.max(1, classes))
  const weight: Initialization =
    linear_init === 'normal' ? { kind: 'normal', std: 0.01 } : { kind: 'uniform', a: -range, b: range }
  return { weight, bias: { kind: 'zeros' } }
}

/** torchvision's `Conv2dNormActivation`: `0` convolution, `1` norm, `2` activation. */
function unit(net: Net, name: string, x: Value, channels: number, options: ConvUnit, kind?: string): Value {
  return x.builder.scope(name, { kind: 'Conv2dNormActivation' }, () => {
    const normed = normAct(net, '1', conv(net, '0', x, channels, options))
    return kind ? x.builder.scope('2', () => activation(kind)(normed)) : normed
  })
}

function block(
  net: Net,
  name: string,
  x: Value,
  spec: BlockSpec,
  inputs: number,
  outputs: number,
  stride: number,
): Value {
  const { inner } = net.config as TorchvisionMobileConfig
  const { type, kernel, expand } = spec
  const kind = spec.act ?? net.config.act ?? 'relu'
  const { builder } = x
  return builder.scope(name, { kind: 'InvertedResidual' }, () => {
    const y = builder.scope(inner, { kind: 'Sequential' }, () => {
      let at = 0
      const add = (value: Value, channels: number, options: ConvUnit, active?: string) =>
        unit(net, `${at++}`, value, channels, options, active)
      if (type === 'cn') return add(x, outputs, { kernel, stride }, kind)
      const middle = makeDivisible(inputs * expand)
      if (type === 'er') {
        return add(add(x, middle, { kernel, stride }, kind), outputs, { kernel: [1] })
      }
      const wide = type === 'ir' ? add(x, middle, { kernel: [1] }, kind) : x
      let z = add(wide, wide.shape[1] as number, { kernel, stride, group: 1 }, kind)
      if (spec.se) {
        const share = net.config.se_from_exp || type === 'ds' ? spec.se : spec.se / expand
        z = attend(net, `${at++}`, z, share, kind, ['fc1', 'fc2'])
      }
      if (inner === 'block') return add(z, outputs, { kernel: [1] })
      return normAct(net, `${at + 1}`, conv(net, `${at}`, z, outputs, { kernel: [1] }))
    })
    return stride === 1 && inputs === outputs ? op.add(y, x) : y
  })
}
