/** Swin Transformer (https://arxiv.org/abs/2103.14030) with the parameter names of transformers' `SwinModel` and its classifier. */
import { Builder, op, type Value } from '../../graph/index.ts'
import { activation } from '../layers/activations.ts'
import { conv2d, type LayerInit, layerNorm, linear } from '../layers/layers.ts'
import { built, parametersFrom } from '../layers/parameters.ts'
import { relativePositionBias } from '../layers/positions.ts'
import type { BuildModel } from '../model.ts'
import { fieldsOf, invalid } from '../text/textConfig.ts'
import type { Parameters } from '../types.ts'
import { mergePatches, planStage, type StagePlan, swinStages, tableOf } from './swinBlocks.ts'
import { attendInWindows } from './swinWindows.ts'
import { classCount, patchGrid, readVisionConfig } from './visionConfig.ts'
import { tokensOf } from './vitLayers.ts'

interface Config {
  readonly embed_dim: number
  readonly window_size: number
  readonly mlp_ratio: number
  readonly qkv_bias: boolean
  readonly hidden_act: string
  readonly layer_norm_eps: number
  readonly initializer_range: number
}

const init = (config: Config): LayerInit => ({
  weight: { kind: 'normal', std: config.initializer_range },
  bias: { kind: 'zeros' },
})

/**
 * Input `pixel_values` (float32 [batch, 3, height, width]), outputs `last_hidden_state` [batch, tokens, channels], `pooler_output` (their
 * mean) and, where there is a classifier, `logits`.
 *
 * @throws PipiloError `MODEL_INVALID`, `OPERATOR_UNSUPPORTED`, `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export const buildTransformersSwin: BuildModel = (json, checkpoint, options = {}) => {
  const config = readVisionConfig<Config>(json, {
    architecture: 'Swin',
    sizes: ['embed_dim', 'window_size'],
    defaults: {
      embed_dim: 96,
      window_size: 7,
      mlp_ratio: 4,
      qkv_bias: true,
      hidden_act: 'gelu',
      layer_norm_eps: 1e-5,
      initializer_range: 0.02,
    },
    only: { use_absolute_embeddings: false },
    activations: ['hidden_act'],
    pictures: { image_size: 224, patch_size: 4 },
  })
  const depths = integers(json, 'depths', [2, 2, 6, 2])
  const heads = integers(json, 'num_heads', [3, 6, 12, 24])
  const { size = config.image_size } = options
  const classes = classCount(json, checkpoint, options.classes, ['classifier.weight'])
  const builder = new Builder({ name: 'swin' })
  const parameters = parametersFrom(builder, checkpoint, {
    ...options,
    prefixes: ['', 'swin.'],
    ignore: [/\bmask_token$/, /^decoder\./, ...(options.classes === 0 ? [/^classifier\./] : [])],
  })
  const pixels = builder.input('pixel_values', 'float32', ['batch', 3, ...size])
  const { patch_size: patch, embed_dim, layer_norm_eps, window_size: window } = config
  const entering = builder.scope('embeddings', { kind: 'SwinEmbeddings' }, () => {
    const patches = { kernel: patch, stride: patch, init: init(config) }
    const map = builder.scope('patch_embeddings', () =>
      conv2d(parameters, 'projection', pixels, embed_dim, patches),
    )
    return layerNorm(parameters, 'norm', tokensOf(map))
  })
  const { map, stages } = builder.scope('encoder', { kind: 'SwinEncoder' }, () =>
    swinStages(entering, patchGrid(size, patch), {
      depths,
      patch,
      plan: (grid, i) => planStage(builder, grid, heads[i]!, [window, window], { fillFirst: true }),
      block: (y, plan, shifted) => block(parameters, config, y, plan, shifted),
      merge: (y, grid) => mergePatches(parameters, y, grid, 1),
      mergeLast: true,
    }),
  )
  const [, rows, columns, channels] = map.shape as number[]
  const tokens = op.reshape(map, [0, rows! * columns!, channels!])
  const features = layerNorm(parameters, 'layernorm', tokens, layer_norm_eps)
  const pooled = builder.scope('pooler', () => op.reduceMean(features, [1]))
  const logits =
    classes > 0 ? linear(parameters, 'classifier', pooled, classes, { init: init(config) }) : undefined
  builder.output('last_hidden_state', features)
  builder.output('pooler_output', pooled)
  if (logits) builder.output('logits', logits)
  return {
    ...built(builder, parameters),
    penultimate: pooled.name,
    features: features.name,
    channelsLast: true,
    patchEmbeddings: entering.name,
    stages,
  }
}

function integers(json: unknown, name: string, otherwise: readonly number[]): readonly number[] {
  const value = fieldsOf(json)[name] ?? otherwise
  if (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((one) => Number.isSafeInteger(one) && one > 0)
  ) {
    return value
  }
  throw invalid('Swin', name, value, 'It must be a list of positive integers.')
}

function block(parameters: Parameters, config: Config, x: Value, plan: StagePlan, shifted: boolean): Value {
  const { builder } = x
  const { heads, window, index } = plan
  const channels = x.shape[2] as number
  const windows = shifted ? plan.shifted : plan.plain
  const norm = (name: string, y: Value) => layerNorm(parameters, name, y, config.layer_norm_eps)
  const dense = (name: string, y: Value, features: number, bias = true) =>
    linear(parameters, name, y, features, { bias, init: init(config) })
  const inside = windows.partition(norm('layernorm_before', x))
  const attended = builder.scope('attention', { kind: 'SwinAttention' }, () => {
    const context = builder.scope('self', { kind: 'SwinSelfAttention' }, () => {
      const positions = relativePositionBias(
        tableOf(parameters, builder, window, heads, { kind: 'zeros' }),
        index,
      )
      const bias = windows.mask ? op.add(positions, windows.mask) : positions
      const [query, key, value] = ['query', 'key', 'value'].map((name) =>
        dense(name, inside, channels, config.qkv_bias),
      ) as [Value, Value, Value]
      return attendInWindows(query, key, value, { heads, bias })
    })
    return builder.scope('output', { kind: 'SwinSelfOutput' }, () => dense('dense', context, channels))
  })
  const y = op.add(x, windows.reverse(attended))
  const normed = norm('layernorm_after', y)
  const inner = builder.scope('intermediate', { kind: 'SwinIntermediate' }, () =>
    activation(config.hidden_act)(dense('dense', normed, Math.trunc(channels * config.mlp_ratio))),
  )
  const output = builder.scope('output', { kind: 'SwinOutput' }, () => dense('dense', inner, channels))
  return op.add(y, output)
}
