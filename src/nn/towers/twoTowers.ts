/** Common part of the models of texts and pictures in one space: towers of pre-norm blocks, and the scale of cosines. */
import { PipiloError } from '../../base/index.ts'
import { type Initializer, loadTensorSync, op, type Value } from '../../graph/index.ts'
import { bfloat16ToFloat32, float16ToFloat32, type TypedArray } from '../../tensor/index.ts'
import { activation } from '../layers/activations.ts'
import { MASKED, multiHeadAttention } from '../layers/attention.ts'
import { layerNorm, linear } from '../layers/layers.ts'
import { type Grid, resamplePositions } from '../layers/positions.ts'
import type { BuiltModel } from '../model.ts'
import type { Parameters } from '../types.ts'
import { gridOf } from '../vit/vit.ts'
import { layerScale } from '../vit/vitLayers.ts'

/** A model that puts texts and pictures into one space. */
export interface TwoTowers {
  /** Inputs `input_ids` and perhaps `attention_mask` (int64 [batch, sequence]), output `text_embeds` (its `penultimate`). */
  readonly text: BuiltModel
  /** Input `pixel_values` (float32 [batch, 3, height, width]), output `image_embeds` (its `penultimate`). */
  readonly image: BuiltModel
  /** Factor of the cosines before softmax or sigmoid: e to the power of the checkpoint's `logit_scale`. */
  readonly logitScale: number
  /** Added to the scaled cosines before the sigmoid (SigLIP). */
  readonly logitBias?: number
}

/** How a block is built, and what its parts are called. */
export interface TowerBlock {
  readonly heads: number
  readonly hidden: number
  readonly act: string
  readonly epsilon: number
  /** Added to the scores. */
  readonly mask?: Value | undefined
  /** Initial layer scale (`ls_1`, `ls_2`). Default: none. */
  readonly layerScale?: number | undefined
  /** transformers' names, or those of OpenAI and OpenCLIP. */
  readonly names: typeof TRANSFORMERS_NAMES | typeof OPEN_CLIP_NAMES
}

/** Names of the parts of a block in transformers. */
export const TRANSFORMERS_NAMES = {
  norms: ['layer_norm1', 'layer_norm2'],
  attention: 'self_attn',
  layers: ['fc1', 'fc2'],
  fused: false,
} as const

/** Names of the parts of a block in OpenAI's and OpenCLIP's checkpoints. */
export const OPEN_CLIP_NAMES = {
  norms: ['ln_1', 'ln_2'],
  attention: 'attn',
  layers: ['c_fc', 'c_proj'],
  fused: true,
} as const

const normal = (std: number) => ({ weight: { kind: 'normal', std }, bias: { kind: 'zeros' } }) as const

/** A block that normalises before attention and before its MLP, with the initialisation of CLIP's paper (without the factor of the depth). */
export function towerBlock(parameters: Parameters, name: string, x: Value, block: TowerBlock): Value {
  const { builder } = x
  const { names, heads, mask, epsilon, hidden, layerScale: initial } = block
  const features = x.shape.at(-1) as number
  return builder.scope(name, { kind: 'EncoderLayer' }, () => {
    const normed = layerNorm(parameters, names.norms[0], x, epsilon)
    const attended = builder.scope(names.attention, { kind: 'Attention' }, () => {
      const [query, key, value] = names.fused
        ? projectFused(parameters, normed, normed)
        : (['q_proj', 'k_proj', 'v_proj'].map((part) =>
            linear(parameters, part, normed, features, { init: normal(features ** -0.5) }),
          ) as [Value, Value, Value])
      const context = multiHeadAttention(query, key, value, { heads, ...(mask ? { mask } : {}) })
      return linear(parameters, 'out_proj', context, features, { init: normal(features ** -0.5) })
    })
    const scaled = (part: string, branch: Value) =>
      initial === undefined ? branch : layerScale(parameters, part, branch, initial)
    const y = op.add(x, scaled('ls_1', attended))
    const inner = towerMlp(
      parameters,
      layerNorm(parameters, names.norms[1], y, epsilon),
      hidden,
      block.act,
      names,
    )
    return op.add(y, scaled('ls_2', inner))
  })
}

/** The MLP `mlp` of a block. */
export function towerMlp(
  parameters: Parameters,
  x: Value,
  hidden: number,
  act: string,
  names: TowerBlock['names'],
): Value {
  const { builder } = x
  const features = x.shape.at(-1) as number
  return builder.scope('mlp', { kind: 'MLP' }, () => {
    const inner = linear(parameters, names.layers[0], x, hidden, { init: normal((2 * features) ** -0.5) })
    return linear(parameters, names.layers[1], activation(act)(inner), features, {
      init: normal(features ** -0.5),
    })
  })
}

/** Queries of one sequence, keys and values of another, by PyTorch's `in_proj_weight` and `in_proj_bias`. */
export function projectFused(parameters: Parameters, queries: Value, keys: Value): [Value, Value, Value] {
  const { builder } = keys
  const features = keys.shape.at(-1) as number
  const weight = parameters.weight(`${builder.path}.in_proj_weight`, [3 * features, features], {
    kind: 'xavier_uniform',
  })
  const bias = parameters.weight(`${builder.path}.in_proj_bias`, [3 * features], { kind: 'zeros' })
  const part = (x: Value, from: number, to: number) =>
    op.add(
      op.matMul(x, op.transpose(op.slice(weight, [from], [to], { axes: [0] }), [1, 0])),
      op.slice(bias, [from], [to], { axes: [0] }),
    )
  if (queries !== keys) {
    const [key, value] = op.split(part(keys, features, 3 * features), [features, features], 2) as [
      Value,
      Value,
    ]
    return [part(queries, 0, features), key, value]
  }
  const all = op.add(op.matMul(keys, op.transpose(weight, [1, 0])), bias)
  return op.split(all, [features, features, features], 2) as [Value, Value, Value]
}

/** Added to the scores of a text that is read forwards, [sequence, sequence] for texts up to `longest` tokens. */
export function causalMask(input: Value, longest: number): Value {
  const data = new Float32Array(longest * longest)
  for (let query = 0; query < longest; query++) {
    data.fill(MASKED, query * longest + query + 1, (query + 1) * longest)
  }
  const table = input.builder.constant({ dtype: 'float32', shape: [longest, longest], data })
  const length = op.shape(input, 1, 2)
  return op.slice(table, [0, 0], op.concat([length, length], 0), { axes: [0, 1] })
}

/** The first `length` rows of a table of positions, as many as `input` [batch, sequence] has columns. */
export function firstPositions(table: Value, input: Value): Value {
  return op.slice(table, [0], op.shape(input, 1, 2), { axes: [0] })
}

/** Hidden state at the end of the text: at its first token of that id; without an id, at its largest id. */
export function endOfText(input: Value, hidden: Value, end: number | undefined): Value {
  const ids = op.cast(input, 'int32')
  const scores = end === undefined ? ids : op.cast(op.equal(ids, end), 'float32')
  return op.gatherND(hidden, op.argMax(scores, 1, { keepDims: true }), 1)
}

/**
 * A table of positions [count, features] of a tower for the grid of its pictures.
 *
 * @param count how many the checkpoint has
 */
export function towerPositions(
  table: (count: number) => Value,
  count: number | undefined,
  own: Grid,
  grid: Grid,
  prefix: number,
  antialias: boolean,
): Value {
  const from = gridOf((count ?? own[0] * own[1] + prefix) - prefix, [own]) ?? own
  const rows = op.unsqueeze(table(from[0] * from[1] + prefix), [0])
  return resamplePositions(rows, from, grid, { prefix, antialias })
}

/** The number that a tensor of one element holds; a file is read. */
export function scalarOf(tensor: Initializer | undefined): number | undefined {
  if (!tensor) return undefined
  const bytes = new Uint8Array(8)
  const data = loadTensorSync(tensor).data as TypedArray
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, Math.min(data.byteLength, 8)))
  switch (tensor.dtype) {
    case 'float16':
      return float16ToFloat32(new Uint16Array(bytes.buffer, 0, 1))[0]
    case 'bfloat16':
      return bfloat16ToFloat32(new Uint16Array(bytes.buffer, 0, 1))[0]
    case 'float64':
      return new Float64Array(bytes.buffer)[0]
    case 'float32':
      return new Float32Array(bytes.buffer)[0]
    default:
      throw new PipiloError(
        'FORMAT_UNSUPPORTED',
        `A scale or bias of logits is ${tensor.dtype}, and weights are floats.`,
        {
          input: tensor.dtype,
          hint: 'Quantised checkpoints are not read: take the one in float32, float16 or bfloat16.',
        },
      )
  }
}

/** Tensors of a checkpoint that both towers left aside, but for those that belong to both. */
export function leftByBoth(one: readonly string[], other: readonly string[], shared: RegExp): string[] {
  const also = new Set(other)
  return one.filter((name) => also.has(name) && !shared.test(name))
}
