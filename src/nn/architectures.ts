/** The registry of architectures: the one way to find one by name, and to build it. */
import { closest, PipiloError } from '../base/index.ts'
import { buildConvAutoencoder, CONV_AUTOENCODER_DEFAULTS } from './autoencoders/convAutoencoder.ts'
import { buildMlpAutoencoder, MLP_AUTOENCODER_DEFAULTS } from './autoencoders/mlpAutoencoder.ts'
import { cnnArchitectures } from './cnn/cnnArchitectures.ts'
import { buildLeNet, LENET_DEFAULTS } from './cnn/leNet.ts'
import type { BuildModel } from './model.ts'
import { checkSizes } from './settings.ts'
import { bertPresets } from './text/bertPresets.ts'
import { textArchitectures } from './text/textArchitectures.ts'
import { textPresets } from './text/textPresets.ts'
import { SWIN_DEFAULTS } from './vit/swin.ts'
import { swinPresets } from './vit/swinPresets.ts'
import { VIT_DEFAULTS, VIT_SETTINGS } from './vit/vit.ts'
import { visionArchitectures } from './vit/vitArchitectures.ts'
import { findVit, vitNames } from './vit/vitNames.ts'
import { vitPresets } from './vit/vitPresets.ts'

/** An architecture that is built here. */
export interface NamedArchitecture {
  readonly modality: 'text' | 'image'
  /**
   * Builds the graph. Where there is a {@link preset}, the configuration is what differs from it (`{}` for nothing); else it is transformers'
   * `config.json`.
   */
  readonly build: BuildModel
  /** The configuration that the name stands for. */
  readonly preset?: Readonly<Record<string, unknown>>
  /** True of a network that is neither timm's nor torchvision's: its `config.json` has its settings by their own names. */
  readonly isOwn?: boolean
  /** True of a network whose configuration says the size of its pictures: timm's `img_size`. */
  readonly isSized?: boolean
}

/**
 * Kind of a name: a `model_type` of transformers; a name of timm's or torchvision's, with or without the tag behind its `.`, or one of `lenet`, `mlp_autoencoder`, `conv_autoencoder`; a
 * text model's name on the hub (`distilbert-base-cased`).
 */
export type NameOf = 'transformers' | 'timm' | 'hub'

/**
 * The architecture of a name.
 *
 * @example
 * ```ts
 * const { build, preset } = architecture('resnet50')
 * const { graph, parameters } = build({ num_classes: 10 }, undefined, { mode: 'training', seed: 1 })
 * architecture('distilbert').build(JSON.parse(config), tensors)
 * ```
 *
 * Settings that a network of timm's name does not have are an error of its `build`, `OPTION_INVALID` with the closest.
 *
 * @param of whose name it is. Default: anybody's
 * @throws PipiloError `MODEL_INVALID` with the closest names
 */
export function architecture(name: string, of?: NameOf): NamedArchitecture {
  const found = findArchitecture(name, of)
  if (found) return found
  const near = closest(name, architectureNames(of))
  const guess = near.length > 0 ? `Did you mean ${near.join(' or ')}? ` : ''
  const others = architectureNames().length - typeNames().length
  throw new PipiloError(
    'MODEL_INVALID',
    `The architecture ${name} is not known; known: ${typeNames().join(', ')}, and ${others} names of timm, torchvision and the hub.`,
    { input: name, hint: `${guess}Export the model to ONNX and open that.` },
  )
}

/** {@link architecture}, or `undefined` for a name that is not known. */
export function findArchitecture(name: string, of?: NameOf): NamedArchitecture | undefined {
  for (const one of of === undefined ? (['transformers', 'timm', 'hub'] as const) : [of]) {
    const found = finders[one](name)
    if (found) return found
  }
  return undefined
}

/** The names that {@link findArchitecture} knows: those of one kind, or all. */
export function architectureNames(of?: NameOf): string[] {
  if (of === 'transformers') return typeNames()
  if (of === 'hub') return [...Object.keys(textPresets), ...Object.keys(bertPresets)]
  if (of === 'timm') return [...new Set([...vitNames(), ...cnnArchitectures.keys(), ...own.keys()])]
  return [...architectureNames('transformers'), ...architectureNames('timm'), ...architectureNames('hub')]
}

/** Networks that are neither timm's nor torchvision's. */
const own: ReadonlyMap<string, NamedArchitecture> = new Map([
  ['lenet', { modality: 'image', build: buildLeNet, preset: { ...LENET_DEFAULTS } }],
  [
    'mlp_autoencoder',
    { modality: 'image', build: buildMlpAutoencoder, preset: { ...MLP_AUTOENCODER_DEFAULTS } },
  ],
  [
    'conv_autoencoder',
    { modality: 'image', build: buildConvAutoencoder, preset: { ...CONV_AUTOENCODER_DEFAULTS } },
  ],
])

const finders = { transformers: ofType, timm: ofTimm, hub: ofHub } as const

function ofType(type: string): NamedArchitecture | undefined {
  if (Object.hasOwn(textArchitectures, type)) return { modality: 'text', build: textArchitectures[type]! }
  return isPicture(type) ? { modality: 'image', build: visionArchitectures[type]! } : undefined
}

function ofTimm(tagged: string): NamedArchitecture | undefined {
  const [name = ''] = tagged.split('.')
  const found = own.get(name)
  if (found) {
    return {
      ...found,
      isOwn: true,
      build: (changes, ...rest) => {
        checkSettings(name, changes, Object.keys(found.preset ?? {}), [found.preset ?? {}])
        return found.build(changes, ...rest)
      },
    }
  }
  const vit = vitPresets.get(name) ?? swinPresets.get(name)
  if (vit) {
    return {
      modality: 'image',
      isSized: true,
      build: (changes, ...rest) => {
        const isVit = vitPresets.has(name)
        const like = isVit ? examples.vit : examples.swin
        checkSettings(name, changes, isVit ? VIT_SETTINGS : swinSettings, like)
        if (!vitPresets.has(name)) refusePooling(name, changes['global_pool'])
        return findVit(name, changes)!(...rest)
      },
      preset: { ...vit },
    }
  }
  const cnn = cnnArchitectures.get(name)
  return (
    cnn && {
      modality: 'image',
      build: (changes, ...rest) => {
        checkSettings(name, changes, cnnSettings, examples.cnn)
        refusePooling(name, changes['global_pool'])
        return cnn.build({ ...cnn.preset, ...changes }, ...rest)
      },
      preset: { ...cnn.preset },
    }
  )
}

function ofHub(name: string): NamedArchitecture | undefined {
  const presets: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
    ...textPresets,
    ...Object.fromEntries(
      Object.entries(bertPresets).map(([key, preset]) => [key, { model_type: 'bert', ...preset }]),
    ),
  }
  const preset = Object.hasOwn(presets, name) ? presets[name] : undefined
  const build = preset && textArchitectures[String(preset['model_type'])]
  return (
    build && {
      modality: 'text',
      build: (changes, ...rest) => build({ ...preset, ...changes }, ...rest),
      preset,
    }
  )
}

function typeNames(): string[] {
  return [...Object.keys(textArchitectures), ...Object.keys(visionArchitectures).filter(isPicture)]
}

/** Those of two towers are not for pictures alone. */
function isPicture(type: string): boolean {
  return Object.hasOwn(visionArchitectures, type) && !/^(?:clip|siglip)/.test(type)
}

/**
 * Settings of convolutional networks that a preset may leave open, beside those that some preset sets; what a checkpoint's `model_args`
 * says goes through here as well.
 */
const cnnSettings = [
  ...new Set([...cnnArchitectures.values()].flatMap(({ preset }) => Object.keys(preset))),
  ...['in_chans', 'drop_rate', 'drop_path_rate', 'shortcut', 'act', 'norm', 'global_pool', 'padding'],
  ...['norm_eps', 'conv_mlp', 'fix_stem', 'kernel_sizes', 'head_hidden_size', 'arch_def', 'pad_type'],
  ...[
    'pruned',
    'aa_layer',
    'attn_layer',
    'se_ratio',
    'block_reduce_first',
    'down_kernel_size',
    'growth_rate',
  ],
  ...['init_values', 'channel_divisor', 'mlp_ratio'],
]

const swinSettings = [
  ...new Set([SWIN_DEFAULTS, ...swinPresets.values()].flatMap((preset) => Object.keys(preset))),
  ...['window_size', 'pretrained_window_sizes', 'names', 'global_pool', 'norm_eps'],
]

/** Examples of each setting's values, by which those of a file are checked; the last ones are those that no preset sets. */
const examples = {
  vit: [VIT_DEFAULTS, ...vitPresets.values(), { img_size: 224, num_kv_heads: 1 }],
  swin: [SWIN_DEFAULTS, ...swinPresets.values(), { img_size: 224, window_size: [7, 7], norm_eps: 1e-5 }],
  cnn: [
    ...[...cnnArchitectures.values()].map(({ preset }) => preset),
    { in_chans: 3, drop_rate: 0.1, drop_path_rate: 0.1, kernel_sizes: 7, norm_eps: 1e-5, mlp_ratio: 4 },
    { init_values: 0.1, ls_init_value: 0.1, input_size: 1, padding: 'same' },
  ],
} as const satisfies Record<string, readonly object[]>

/** A misspelt setting would leave the default in its place, and one of another kind, such as a text for a number, break the building. */
function checkSettings(
  name: string,
  changes: object,
  known: readonly string[],
  examples: readonly object[],
): void {
  const unknown = Object.keys(changes).find((key) => !known.includes(key))
  if (unknown !== undefined) {
    const near = closest(unknown, known)
    throw new PipiloError('OPTION_INVALID', `${name} has no setting ${unknown}.`, {
      input: unknown,
      hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : `It has ${known.join(', ')}.`,
    })
  }
  checkSizes(name, changes, examples)
}

/** Only vision transformers are built with other poolings than the mean: another one would give other numbers in silence. */
function refusePooling(name: string, pooling: unknown): void {
  if (pooling === undefined || pooling === 'avg') return
  throw new PipiloError(
    'FORMAT_UNSUPPORTED',
    `${name} is built with the mean as its pooling, not with ${JSON.stringify(pooling)} (global_pool).`,
    { input: name, hint: 'Export it to ONNX and open that.' },
  )
}
