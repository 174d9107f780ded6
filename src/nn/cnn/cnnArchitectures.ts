/** The convolutional architectures by timm's and torchvision's names. */

import type { BuildModel } from '../model.ts'
import type { BuildNamed } from '../vit/vitNames.ts'
import { alexNetPresets, buildAlexNet } from './alexNet.ts'
import { type CnnConfig, tensorOf } from './cnn.ts'
import { buildConvNeXt } from './convNeXt.ts'
import { convNeXtPresets } from './convNeXtPresets.ts'
import { buildDenseNet, denseNetPresets } from './denseNet.ts'
import { buildEfficientNet } from './efficientNet.ts'
import { efficientNetPresets } from './efficientNetPresets.ts'
import type { MobileConfig } from './mobileLayers.ts'
import { mobileNetPresets } from './mobileNetPresets.ts'
import { buildResNet } from './resNet.ts'
import { resNetPresets } from './resNetPresets.ts'
import { buildResNetV2 } from './resNetV2.ts'
import { resNetV2Presets } from './resNetV2Presets.ts'
import { buildSeNet, seNetPresets } from './seNet.ts'
import {
  buildTorchvisionMobile,
  type TorchvisionMobileConfig,
  torchvisionMobilePresets,
} from './torchvisionMobile.ts'
import { buildVgg, vggPresets } from './vgg.ts'

/** An architecture of a name: its configuration, and what builds it. */
export interface CnnArchitecture<Config extends CnnConfig = CnnConfig> {
  readonly build: BuildModel<Config>
  readonly preset: Config
}

function named<Config extends CnnConfig>(
  build: BuildModel<Config>,
  presets: ReadonlyMap<string, Config>,
): [string, CnnArchitecture][] {
  return [...presets].map(([name, preset]) => [
    name,
    { build: (config, checkpoint, options) => build(config as Config, checkpoint, options), preset },
  ])
}

/**
 * torchvision's, or for a name that timm has as well (`efficientnet_b0`) timm's, unless the checkpoint is torchvision's.
 */
function torchvision(name: string, preset: TorchvisionMobileConfig): CnnArchitecture {
  const timm = efficientNetPresets.get(name)
  if (!timm)
    return { build: (config, ...rest) => buildTorchvisionMobile(config as typeof preset, ...rest), preset }
  return {
    build: (config, checkpoint, options) => {
      if (!tensorOf(checkpoint, 'features.0.0.weight')) {
        return buildEfficientNet(config as MobileConfig, checkpoint, options)
      }
      // Settings that differ from timm's preset were asked for.
      const asked = Object.entries(config).filter(([key, value]) => value !== timm[key as keyof MobileConfig])
      return buildTorchvisionMobile({ ...preset, ...Object.fromEntries(asked) }, checkpoint, options)
    },
    preset: timm,
  }
}

/**
 * Every convolutional architecture by name: timm's before its `.` (`resnet50` of `resnet50.a1_in1k`), or torchvision's.
 *
 * @example
 * ```ts
 * const { build, preset } = cnnArchitectures.get('resnet50')!
 * build({ ...preset, num_classes: 10 })
 * ```
 */
export const cnnArchitectures: ReadonlyMap<string, CnnArchitecture> = new Map<string, CnnArchitecture>([
  ...named(buildResNet, resNetPresets),
  ...named(buildResNetV2, resNetV2Presets),
  ...named(buildSeNet, seNetPresets),
  ...named(buildDenseNet, denseNetPresets),
  ...named(buildVgg, vggPresets),
  ...named(buildConvNeXt, convNeXtPresets),
  ...named(buildEfficientNet, efficientNetPresets),
  ...named(buildEfficientNet, mobileNetPresets),
  ...named(buildAlexNet, alexNetPresets),
  ...[...torchvisionMobilePresets].map(([name, preset]) => [name, torchvision(name, preset)] as const),
])

/**
 * The convolutional network of this name, or `undefined` for names that are not known.
 *
 * @example
 * ```ts
 * const { graph, penultimate, stages } = findCnn('resnet50.a1_in1k')!(tensors)
 * ```
 *
 * @param name timm's, with or without the tag behind its `.`, or torchvision's
 * @param changes arguments of the architecture that differ from what the name says, such as timm's `model_args`
 */
export function findCnn(
  name: string,
  changes: Readonly<Record<string, unknown>> = {},
): BuildNamed | undefined {
  const found = cnnArchitectures.get(name.split('.')[0]!)
  return found && ((checkpoint, options) => found.build({ ...found.preset, ...changes }, checkpoint, options))
}
