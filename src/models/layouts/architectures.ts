// Finds the builder of an architecture by transformers' type, timm's or torchvision's name.
import { PipiloError } from '../../base/index.ts'
import {
  type BuildModel,
  buildLeNet,
  cnnArchitectures,
  cnnNames,
  findCnn,
  findVit,
  swinPresets,
  textArchitectures,
  visionArchitectures,
  vitNames,
  vitPresets,
} from '../../nn/index.ts'

/** An architecture that is built here. */
export interface Architecture {
  readonly modality: 'text' | 'image' | 'both'
  /** For architectures by name, the configuration is what differs from what the name says, by timm's names. */
  readonly build: BuildModel
  /** Configuration that the name stands for, if it stands for one. */
  readonly preset?: Readonly<Record<string, unknown>>
}

/** The one place where names of architectures meet their builders in `nn/`. */

/** By transformers' `model_type`. */
export function findByType(type: string): Architecture | undefined {
  if (Object.hasOwn(textArchitectures, type)) return { modality: 'text', build: textArchitectures[type]! }
  if (isVision(type)) return { modality: 'image', build: visionArchitectures[type]! }
  return undefined
}

/** By timm's name, with or without the tag behind its `.`, or torchvision's; `lenet` is LeNet-5. */
export function findByName(name: string): Architecture | undefined {
  const [architecture = ''] = name.split('.')
  if (architecture === leNet) return { modality: 'image', build: buildLeNet }
  const find = [findVit, findCnn].find((candidate) => candidate(architecture))
  if (!find) return undefined
  const preset =
    vitPresets.get(architecture) ??
    swinPresets.get(architecture) ??
    cnnArchitectures.get(architecture)?.preset
  return {
    modality: 'image',
    build: (config, checkpoint, options) => {
      if (!vitPresets.has(architecture)) refusePooling(architecture, config['global_pool'])
      return find(architecture, config)!(checkpoint, options)
    },
    ...(preset ? { preset: { ...preset } } : {}),
  }
}

/** The names of transformers' architectures. */
export function knownTypes(): string[] {
  return [...Object.keys(textArchitectures), ...Object.keys(visionArchitectures).filter(isVision)]
}

/** The names of timm's and torchvision's architectures. */
export function knownNames(): string[] {
  return [...new Set([...vitNames(), ...cnnNames(), leNet])]
}

const leNet = 'lenet'

/** Only vision transformers are built with other poolings than the mean: another one would give other numbers in silence. */
function refusePooling(architecture: string, pooling: unknown): void {
  if (pooling === undefined || pooling === 'avg') return
  throw new PipiloError(
    'FORMAT_UNSUPPORTED',
    `${architecture} is built with the mean as its pooling, not with ${JSON.stringify(pooling)} (global_pool).`,
    { input: architecture, hint: 'Export it to ONNX and open that.' },
  )
}

/** True for an architecture of pictures alone, not of two towers. */
function isVision(type: string): boolean {
  return Object.hasOwn(visionArchitectures, type) && !/^(?:clip|siglip)/.test(type)
}
