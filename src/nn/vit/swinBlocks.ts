/** The blocks of Swin Transformers, by timm's names. */
import { type Builder, op, type Value } from '../../graph/index.ts'
import { type Drop, dropout, type LayerInit, layerNorm, linear } from '../layers/layers.ts'
import { l2Normalize } from '../layers/pooling.ts'
import { type Grid, relativePositionBias, relativePositionIndex } from '../layers/positions.ts'
import type { Initialization, Mode, Parameters } from '../types.ts'
import { attendInWindows, mergeSquares, type Windows, windowOf, windowsOf } from './swinWindows.ts'
import { mlp, tokensOf, VIT_INIT } from './vitLayers.ts'

/** Common settings of the blocks of a stage. */
export interface StagePlan {
  readonly heads: number
  readonly window: Grid
  /** See {@link relativePositionIndex}. */
  readonly index: Value
  readonly plain: Windows
  readonly shifted: Windows
}

/** Windows of a stage whose map is `grid`; `target` is what they are where it is no smaller. */
export function planStage(
  builder: Builder,
  grid: Grid,
  heads: number,
  target: Grid,
  options: { readonly fillFirst?: boolean } = {},
): StagePlan {
  const { window, shift } = windowOf(grid, target, true)
  return {
    heads,
    window,
    index: relativePositionIndex(builder, window),
    plain: windowsOf(builder, grid, window, [0, 0], options),
    shifted: windowsOf(builder, grid, window, shift, options),
  }
}

/** A stage of {@link swinStages}. */
export interface SwinStage {
  readonly name: string
  readonly stride: number
  readonly channels: number
}

/** How the stages of a Swin Transformer are built. */
export interface SwinParts {
  readonly depths: readonly number[]
  readonly patch: number
  /** Scope of a stage. Default `layers.0` and so on. */
  readonly scope?: (stage: number) => string
  readonly plan: (grid: Grid, stage: number) => StagePlan
  readonly block: (x: Value, plan: StagePlan, shifted: boolean, stage: number, index: number) => Value
  readonly merge: (x: Value, grid: Grid) => Value
  /** Squares are merged at the end of a stage (transformers) or at the start of the next (timm, the default). */
  readonly mergeLast?: boolean
  /** Layer after the blocks of a stage. */
  readonly after?: (x: Value, stage: number) => Value
  /** Maps are [batch, channels, rows, columns]. Default: channels stand last. */
  readonly channelsFirst?: boolean
}

/**
 * Tokens [batch, rows × columns, channels] through all stages; each stage's value is the map [batch, rows, columns, channels], and that
 * of the last one is returned.
 */
export function swinStages(
  entering: Value,
  first: Grid,
  parts: SwinParts,
): { map: Value; stages: SwinStage[] } {
  const { depths, patch, mergeLast = false, channelsFirst, scope = (stage) => `layers.${stage}` } = parts
  const { builder } = entering
  let [map, x, grid] = [entering, entering, first]
  // A stage is made of the map before it, which would be no part of the graph otherwise.
  const continued = () =>
    channelsFirst ? tokensOf(map) : op.reshape(map, [0, grid[0] * grid[1], map.shape[3] as number])
  const halve = (tokens: () => Value) => {
    x = builder.scope('downsample', { kind: 'PatchMerging' }, () => parts.merge(tokens(), grid))
    grid = [Math.ceil(grid[0] / 2), Math.ceil(grid[1] / 2)]
  }
  const stages = depths.map((depth, i) => {
    const name = scope(i)
    map = builder.scope(name, { kind: 'SwinTransformerStage' }, () => {
      if (i > 0 && mergeLast) x = continued()
      if (i > 0 && !mergeLast) halve(continued)
      const plan = parts.plan(grid, i)
      for (let block = 0; block < depth; block++) {
        x = builder.scope(`blocks.${block}`, { kind: 'SwinTransformerBlock' }, () =>
          parts.block(x, plan, block % 2 === 1, i, block),
        )
      }
      x = parts.after?.(x, i) ?? x
      if (i < depths.length - 1 && mergeLast) halve(() => x)
      const laid = op.reshape(x, [0, ...grid, x.shape[2] as number])
      return channelsFirst ? op.transpose(laid, [0, 3, 1, 2]) : laid
    })
    const stride = patch * 2 ** (mergeLast && i < depths.length - 1 ? i + 1 : i)
    const channels = map.shape[channelsFirst ? 1 : 3] as number
    return { name: builder.path ? `${builder.path}.${name}` : name, stride, channels }
  })
  return { map, stages }
}

/** timm's `PatchMerging`: four neighbours as one vector, normalised, then halved; version 2 the other way round. */
export function mergePatches(
  parameters: Parameters,
  x: Value,
  grid: Grid,
  version: 1 | 2,
  init: LayerInit = VIT_INIT,
): Value {
  const channels = x.shape[2] as number
  const norm = (y: Value) => layerNorm(parameters, 'norm', y)
  const reduce = (y: Value) => linear(parameters, 'reduction', y, 2 * channels, { bias: false, init })
  const squares = mergeSquares(x, grid)
  return version === 1 ? reduce(norm(squares)) : norm(reduce(squares))
}

/** Common settings of the blocks of a model. */
export interface SwinBlockConfig {
  readonly mlp_ratio: number
  readonly qkv_bias: boolean
  /** Side of the windows in pretraining, of each stage; 0 where it was the same. Version 2 only. */
  readonly pretrained_window_sizes?: readonly number[]
  /**
   * As in torchvision: the layer `attn` lays its windows itself, and the biases of version 2 are one, `qkv.bias`, of which that of
   * keys is not used.
   */
  readonly torchvision?: boolean
  /** How layers are drawn. Default {@link VIT_INIT}. */
  readonly init?: LayerInit
}

/** Position of a block, and the settings that depend on it. */
export interface SwinBlockPlace {
  readonly plan: StagePlan
  readonly shifted: boolean
  readonly stage: number
  /** Stochastic depth of a branch. */
  readonly drop: Drop
  /** The block's output is normalised: `norm3`. Version 2 only. */
  readonly extraNorm: boolean
  readonly mode: Mode
}

/** A block of one of the versions. */
export type SwinBlock = (
  parameters: Parameters,
  config: SwinBlockConfig,
  x: Value,
  place: SwinBlockPlace,
) => Value

/** Attention inside windows [batch, windows, tokens, channels] that {@link SwinBlockPlace} shifts or does not. */
type WindowAttention = (
  parameters: Parameters,
  config: SwinBlockConfig,
  x: Value,
  windows: Windows,
  place: SwinBlockPlace,
) => Value

/** timm's `SwinTransformerBlock`: normalises before attention and MLP. */
export const swinBlock: SwinBlock = (parameters, config, x, place) => {
  const { plan, shifted, drop } = place
  const windows = shifted ? plan.shifted : plan.plain
  const normed = layerNorm(parameters, 'norm1', x)
  const attended = tableAttention(parameters, config, windows.partition(normed), windows, place)
  const y = op.add(x, drop(laidBack(config, windows, attended)))
  return op.add(y, drop(feedForward(parameters, config, layerNorm(parameters, 'norm2', y))))
}

/** Normalises after attention and MLP. */
const postNormBlock =
  (attention: WindowAttention): SwinBlock =>
  (parameters, config, x, place) => {
    const { plan, shifted, drop, extraNorm } = place
    const windows = shifted ? plan.shifted : plan.plain
    const attended = attention(parameters, config, windows.partition(x), windows, place)
    // A new block adds nothing.
    const norm = (name: string, z: Value) => layerNorm(parameters, name, z, 1e-5, { init: { kind: 'zeros' } })
    const y = op.add(x, drop(norm('norm1', laidBack(config, windows, attended))))
    const z = op.add(y, drop(norm('norm2', feedForward(parameters, config, y))))
    return extraNorm ? layerNorm(parameters, 'norm3', z) : z
  }

/** Attention's output in windows, laid back as tokens of the map. */
function laidBack({ torchvision }: SwinBlockConfig, windows: Windows, x: Value): Value {
  return torchvision ? x.builder.scope('attn', () => windows.reverse(x)) : windows.reverse(x)
}

function feedForward(parameters: Parameters, config: SwinBlockConfig, x: Value): Value {
  const hidden = Math.trunc((x.shape[2] as number) * config.mlp_ratio)
  return mlp(parameters, 'mlp', x, { hidden, act: 'gelu', ...(config.init ? { init: config.init } : {}) })
}

/** timm's `WindowAttention`. */
const tableAttention: WindowAttention = (parameters, config, x, { mask }, { plan }) => {
  const { builder } = x
  const { heads, window, index } = plan
  return builder.scope('attn', { kind: 'WindowAttention' }, () => {
    const channels = x.shape[3] as number
    const fused = linear(parameters, 'qkv', x, 3 * channels, { bias: config.qkv_bias, init: VIT_INIT })
    const [query, key, value] = op.split(fused, [channels, channels, channels], 3) as [Value, Value, Value]
    const positions = relativePositionBias(tableOf(parameters, builder, window, heads), index)
    const bias = mask ? op.add(positions, mask) : positions
    const attended = attendInWindows(query, key, value, { heads, bias })
    return linear(parameters, 'proj', attended, channels, { init: VIT_INIT })
  })
}

/** The table of relative positions of a window, `relative_position_bias_table` below the current scope. */
export function tableOf(
  parameters: Parameters,
  builder: Builder,
  window: Grid,
  heads: number,
  init: Initialization = { kind: 'truncated_normal', std: 0.02 },
): Value {
  const shape = [(2 * window[0] - 1) * (2 * window[1] - 1), heads]
  const name = `${builder.path}.relative_position_bias_table`
  return parameters.weight(name, shape, init)
}

/** `WindowAttention` of version 2: positions from an MLP (https://arxiv.org/abs/2111.09883). */
const cosineAttention: WindowAttention = (parameters, config, x, { mask }, { plan, stage }) => {
  const { builder } = x
  const { heads } = plan
  return builder.scope('attn', { kind: 'WindowAttention' }, () => {
    const channels = x.shape[3] as number
    const fused = linear(parameters, 'qkv', x, 3 * channels, { bias: false, init: VIT_INIT })
    const [query, key, value] = op.split(fused, [channels, channels, channels], 3) as [Value, Value, Value]
    const vector = (name: string, size: number) =>
      parameters.weight(`${builder.path}.${name}`, [size], { kind: 'zeros' })
    const [queryBias, , valueBias] = config.torchvision
      ? op.split(vector('qkv.bias', 3 * channels), 3, 0)
      : []
    const biased = (name: string, y: Value, bias: Value | undefined) =>
      config.qkv_bias ? op.add(y, bias ?? vector(name, channels)) : y
    const scale = parameters.weight(`${builder.path}.logit_scale`, [heads, 1, 1], LOGIT_SCALE)
    const pretrained = config.pretrained_window_sizes?.[stage] ?? 0
    const attended = attendByCosine(
      [biased('q_bias', query, queryBias), key, biased('v_bias', value, valueBias)],
      { heads, scale, mask, positions: continuousBias(parameters, builder, plan, pretrained) },
    )
    return linear(parameters, 'proj', attended, channels, { init: VIT_INIT })
  })
}

/** `WindowMultiHeadAttention` of timm's `SwinTransformerV2Cr`: keys have a bias as well, and the MLP's output is the bias of scores. */
const crAttention: WindowAttention = (parameters, { init = {} }, x, { mask }, { plan, mode }) => {
  const { builder } = x
  const { heads, window, index } = plan
  return builder.scope('attn', { kind: 'WindowMultiHeadAttention' }, () => {
    const channels = x.shape[3] as number
    const fused = linear(parameters, 'qkv', x, 3 * channels, { init })
    const parts = op.split(fused, [channels, channels, channels], 3) as [Value, Value, Value]
    const offsets = windowOffsets(
      builder,
      window,
      (offset) => Math.sign(offset) * Math.log1p(Math.abs(offset)),
    )
    const table = builder.scope('meta_mlp', { kind: 'Mlp' }, () => {
      const hidden = op.relu(linear(parameters, 'fc1', offsets, 384, { init }))
      return linear(parameters, 'fc2', dropout(hidden, 0.125, mode), heads, { init })
    })
    const scale = op.reshape(parameters.weight(`${builder.path}.logit_scale`, [heads], LOGIT_SCALE), [
      heads,
      1,
      1,
    ])
    const positions = relativePositionBias(table, index)
    const attended = attendByCosine(parts, { heads, scale, mask, positions })
    return linear(parameters, 'proj', attended, channels, { init })
  })
}

const LOGIT_SCALE: Initialization = { kind: 'constant', value: Math.log(10) }

/** timm's `SwinTransformerV2Block`. */
export const swinV2Block = postNormBlock(cosineAttention)

/** timm's `SwinTransformerV2CrBlock`. */
export const swinCrBlock = postNormBlock(crAttention)

/** Attention whose scores are cosines, times the exponential of `scale` [heads, 1, 1], plus `positions`. */
function attendByCosine(
  [query, key, value]: readonly [query: Value, key: Value, value: Value],
  options: {
    readonly heads: number
    readonly scale: Value
    readonly positions: Value
    readonly mask: Value | undefined
  },
): Value {
  const { heads, positions, mask } = options
  const scale = op.exp(op.clip(options.scale, undefined, Math.log(100)))
  return attendInWindows(query, key, value, {
    heads,
    bias: mask ? op.add(positions, mask) : positions,
    compare: (queries, keys) =>
      op.matMul(op.mul(l2Normalize(queries), scale), op.transpose(l2Normalize(keys), [0, 1, 2, 4, 3])),
  })
}

/** A bias of the scores from the logarithm of the offset, by the MLP `cpb_mlp`. */
function continuousBias(
  parameters: Parameters,
  builder: Builder,
  { heads, window, index }: StagePlan,
  pretrained: number,
): Value {
  const offsets = windowOffsets(builder, window, (offset, side) => {
    const relative = (offset * 8) / Math.max((pretrained || side) - 1, 1)
    return (Math.sign(relative) * Math.log2(Math.abs(relative) + 1)) / 3
  })
  const table = builder.scope('cpb_mlp', { kind: 'Sequential' }, () => {
    const hidden = op.relu(linear(parameters, '0', offsets, 512, { init: VIT_INIT }))
    return linear(parameters, '2', hidden, heads, { bias: false, init: VIT_INIT })
  })
  return op.mul(op.sigmoid(relativePositionBias(table, index)), 16)
}

/** The rows and columns that lie between two positions of a window, as `scaled` gives them: [offsets, 2]. */
function windowOffsets(
  builder: Builder,
  window: Grid,
  scaled: (offset: number, side: number) => number,
): Value {
  const [rows, columns] = [2 * window[0] - 1, 2 * window[1] - 1]
  const data = new Float32Array(rows * columns * 2)
  for (let i = 0; i < rows * columns; i++) {
    data[2 * i] = scaled(Math.trunc(i / columns) - window[0] + 1, window[0])
    data[2 * i + 1] = scaled((i % columns) - window[1] + 1, window[1])
  }
  return builder.constant({ dtype: 'float32', shape: [rows * columns, 2], data })
}
