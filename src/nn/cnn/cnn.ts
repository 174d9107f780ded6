/** Common part of the convolutional architectures: from a preset and a checkpoint to a graph with a classifier on top. */
import { Builder, type Initializer, op, type Value } from '../../graph/index.ts'
import { conv2d, dropout, type LayerInit, linear } from '../layers/layers.ts'
import { built, type CheckpointParameters, parametersFrom } from '../layers/parameters.ts'
import type { BuildOptions, BuiltModel, Stage } from '../model.ts'
import type { Mode } from '../types.ts'

/** Common fields of the configurations of convolutional architectures, by the names of timm's `default_cfgs`. */
export interface CnnConfig {
  readonly num_classes: number
  /** Height and width of the pictures. */
  readonly input_size: readonly [height: number, width: number]
  /** Channels of the pictures. Default 3. */
  readonly in_chans?: number
  /** The first convolution's name. */
  readonly first_conv: string
  /** The classifier's name. */
  readonly classifier: string
  /** Probability of dropout before the classifier, while training. Default 0. */
  readonly drop_rate?: number
  /** Stochastic depth of the last residual block, while training. Default 0. */
  readonly drop_path_rate?: number
}

export type Checkpoint = ReadonlyMap<string, Initializer>

/** Inputs of a forward pass. */
export interface CnnInputs {
  /** float32 [batch, channels, height, width] */
  readonly pixels: Value
  readonly parameters: CheckpointParameters
  readonly mode: Mode
}

/** Outputs of a forward pass. */
export interface CnnOutputs {
  /** The last feature map, [batch, channels, height, width]. */
  readonly features: Value
  /** Input of the classifier, [batch, channels]. */
  readonly penultimate: Value
  readonly stages: readonly Stage[]
}

export interface CnnOptions {
  /** Name of the graph. */
  readonly name: string
  /** Further names under which a checkpoint may hold a parameter. */
  readonly aliases?: (name: string) => readonly string[]
  /** Names of tensors that may go unasked for. */
  readonly ignore?: readonly RegExp[]
  /** How the classifier is drawn. Default: PyTorch's own way. */
  readonly init?: LayerInit
  /** The classifier is a convolution of 1 × 1. Default `false`: a linear layer. */
  readonly convolutional?: boolean
}

/** Prefixes that wrappers put before the names of the network's parameters. */
const PREFIXES = ['', 'module.', 'model.', 'encoder.', 'backbone.', 'visual.trunk.']

/**
 * The graph: input `pixel_values` (float32 [batch, channels, height, width]), output `logits`, or `embedding` where there are no classes.
 *
 * @throws PipiloError `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export function buildCnn(
  config: CnnConfig,
  checkpoint: Checkpoint | undefined,
  options: BuildOptions,
  cnn: CnnOptions,
  forward: (inputs: CnnInputs) => CnnOutputs,
): BuiltModel {
  const { mode = 'inference', size = config.input_size } = options
  const { classifier, drop_rate = 0 } = config
  const { name, aliases, ignore = [], init, convolutional = false } = cnn
  const classes = options.classes ?? classesOf(checkpoint, config)
  const builder = new Builder({ name })
  const parameters = parametersFrom(builder, checkpoint, {
    ...options,
    prefixes: PREFIXES,
    ...(aliases ? { aliases } : {}),
    ignore: options.classes === 0 ? [...ignore, classifierPattern(classifier)] : ignore,
  })
  const pixels = builder.input('pixel_values', 'float32', ['batch', config.in_chans ?? 3, ...size])
  const { features, penultimate, stages } = forward({ pixels, parameters, mode })
  if (classes === 0) builder.output('embedding', penultimate)
  else {
    const kept = dropout(penultimate, drop_rate, mode)
    const classify = convolutional ? convolutionalClassifier : linear
    const logits = classify(parameters, classifier, kept, classes, init ? { init } : {})
    builder.output('logits', logits)
  }
  return {
    ...built(builder, parameters),
    penultimate: penultimate.name,
    features: features.name,
    stages,
  }
}

/** A convolution of 1 × 1 over features [batch, channels]. */
function convolutionalClassifier(
  parameters: CheckpointParameters,
  name: string,
  x: Value,
  classes: number,
  options: { readonly init?: LayerInit },
): Value {
  const { builder } = x
  const map = builder.scope(name, () => op.reshape(x, [0, -1, 1, 1]))
  const convolved = conv2d(parameters, name, map, classes, { kernel: 1, ...options })
  return builder.scope(name, () => op.flatten(convolved))
}

/** A checkpoint's tensor, whatever its wrapper. */
export function tensorOf(checkpoint: Checkpoint | undefined, name: string): Initializer | undefined {
  for (const prefix of PREFIXES) {
    const tensor = checkpoint?.get(prefix + name)
    if (tensor) return tensor
  }
  return undefined
}

/** The classes that a checkpoint tells apart; those of the configuration without one. */
function classesOf(checkpoint: Checkpoint | undefined, { num_classes, classifier }: CnnConfig): number {
  if (!checkpoint) return num_classes
  return tensorOf(checkpoint, `${classifier}.weight`)?.shape[0] ?? 0
}

function classifierPattern(classifier: string): RegExp {
  return new RegExp(`(^|\\.)${classifier.replaceAll('.', '\\.')}\\.(weight|bias)$`)
}

/** Name, stride and channels of a value of a scope: what timm's `features_only` gives. */
export function stage(name: string, value: Value, stride: number): Stage {
  return { name, stride, channels: value.shape[1] as number }
}
