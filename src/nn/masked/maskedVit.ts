/**
 * Vision transformers that predict what is behind masked patches: students of data2vec (https://arxiv.org/abs/2202.03555), and SimMIM
 * (https://arxiv.org/abs/2111.09886), by timm's names.
 */
import { PipiloError } from '../../base/index.ts'
import { Builder, op, type Value } from '../../graph/index.ts'
import { activation } from '../layers/activations.ts'
import { linear } from '../layers/layers.ts'
import { built, parametersFrom } from '../layers/parameters.ts'
import type { BuildModel } from '../model.ts'
import type { Parameters } from '../types.ts'
import { patchGrid } from '../vit/visionConfig.ts'
import { behind, strideOf, type VitConfig, type VitSettings, vitConfig, vitTrunk } from '../vit/vit.ts'
import { VIT_INIT } from '../vit/vitLayers.ts'
import { drawnAsMae } from './drawing.ts'

export type MaskedVitConfig = VitSettings & {
  /** Blocks, counted from the last, whose hidden states are outputs: what a teacher's targets are averaged of. Default 0. */
  readonly top_layers?: number
  /** `linear`: one layer; `mlp`: two with twice the features and GELU between them; `none`: no prediction (a teacher). Default `linear`. */
  readonly prediction_head?: 'linear' | 'mlp' | 'none'
  /** Features of the prediction. Default: those of the tokens; patch² · channels for pixels, as SimMIM predicts. */
  readonly out_features?: number
}

/**
 * A vision transformer with masked patches as a graph.
 *
 * @example
 * ```ts
 * const config = { img_size: 64, patch_size: 8, embed_dim: 192, depth: 4, num_heads: 3, top_layers: 2 }
 * const student = buildMaskedVit(config, undefined, { mode: 'training' })
 * const teacher = buildMaskedVit({ ...config, prediction_head: 'none' }, tensors) // fed with a mask of false
 * ```
 *
 * @remarks
 * Inputs: `pixel_values` (float32 [batch, channels, height, width]) and `mask` (bool [batch, patches], true where a patch is replaced by the
 * parameter `mask_token`, before positions are added). Outputs: `prediction` (float32 [batch, patches, features], of all patches, through
 * `regression_head`), and for each of the top layers `hidden_state_<block>` (float32 [batch, patches, features], what the block gives,
 * without class token and registers). What a block's MLP gives before it is added, which data2vec can average as well, is the layer
 * `blocks.<i>.mlp` for `tap`.
 *
 * All other parameters are those of timm's vision transformer, which opens them. They begin as MAE's: linear maps by Glorot's uniform
 * distribution, positions as sines and cosines (where features come in fours), which are trained here.
 *
 * @param config what differs from timm's defaults
 * @throws PipiloError `OPTION_INVALID`, `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export const buildMaskedVit: BuildModel<MaskedVitConfig> = (given, checkpoint, options = {}) => {
  const { top_layers = 0, prediction_head = 'linear', out_features, ...settings } = given
  const config = vitConfig({ ...settings, num_classes: 0 })
  if (!(Number.isInteger(top_layers) && top_layers >= 0 && top_layers <= config.depth)) {
    throw new PipiloError('OPTION_INVALID', `Of ${config.depth} blocks, ${top_layers} cannot be the top.`, {
      input: 'top_layers',
    })
  }
  const { mode = 'inference', size = config.img_size } = options
  const builder = new Builder({ name: 'masked-vit' })
  const parameters = parametersFrom(builder, checkpoint, {
    ...options,
    ignore: [/^head\./, ...(prediction_head === 'none' ? [/^regression_head\./] : [])],
  })
  const pixels = builder.input('pixel_values', 'float32', ['batch', config.in_chans, ...size])
  const trunk = vitTrunk(withSines(drawnAsMae(parameters), config), config, pixels, {
    mode,
    checkpoint,
    stored: checkpoint?.get('pos_embed')?.shape[1],
    replace: (patches) => masked(parameters, patches),
  })
  for (let i = config.depth - top_layers; i < config.depth; i++)
    builder.output(`hidden_state_${i}`, behind(trunk.blocks[i]!, trunk.prefix))
  if (prediction_head !== 'none') {
    const features = out_features ?? config.embed_dim
    builder.output('prediction', predict(parameters, trunk.patchTokens, features, prediction_head))
  } else if (top_layers === 0) builder.output('last_hidden_state', trunk.patchTokens)
  const { features, classToken, patchTokens, entering } = trunk
  return {
    ...built(builder, parameters),
    penultimate: patchTokens.name,
    features: features.name,
    ...(classToken ? { classToken: classToken.name } : {}),
    patchTokens: patchTokens.name,
    patchEmbeddings: entering.name,
  }
}

/** Positions that begin as random numbers are learned only after some hundred steps, in which all masked patches look alike. */
function withSines<P extends Parameters>(parameters: P, config: VitConfig): P {
  const [rows, columns] = patchGrid(config.img_size, strideOf(config))
  return {
    ...parameters,
    weight: (name, shape, init) =>
      name === 'pos_embed' && config.embed_dim % 4 === 0
        ? parameters.weight(name, shape, {
            kind: 'sinusoidal_2d',
            columns,
            prefix: shape[1]! - rows * columns,
          })
        : parameters.weight(name, shape, init),
  }
}

function masked(parameters: Parameters, patches: Value): Value {
  const [, count, features] = patches.shape as [unknown, number, number]
  const mask = patches.builder.input('mask', 'bool', ['batch', count])
  const token = parameters.weight('mask_token', [1, 1, features], { kind: 'truncated_normal', std: 0.02 })
  return op.where(op.unsqueeze(mask, [2]), token, patches)
}

function predict(parameters: Parameters, x: Value, features: number, kind: 'linear' | 'mlp'): Value {
  const init = VIT_INIT
  if (kind === 'linear') return linear(parameters, 'regression_head', x, features, { init })
  const { builder } = x
  return builder.scope('regression_head', { kind: 'Sequential' }, () => {
    const hidden = linear(parameters, '0', x, 2 * (x.shape.at(-1) as number), { init })
    const active = builder.scope('1', () => activation('gelu')(hidden))
    return linear(parameters, '2', active, features, { init })
  })
}
