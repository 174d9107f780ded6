/** The blocks of timm's `VisionTransformer`. */
import { op, type Value } from '../../graph/index.ts'
import { activation } from '../layers/activations.ts'
import { multiHeadAttention } from '../layers/attention.ts'
import { type Drop, linear, rmsNorm } from '../layers/layers.ts'
import type { Parameters } from '../types.ts'
import { layerScale, mlp, type Norm, normHeads, selfAttention, VIT_INIT } from './vitLayers.ts'
import type { BlockPositions } from './vitPositions.ts'

/** Further settings of the blocks of EVA, by timm's names. */
export interface EvaConfig {
  /** `eva`: keys have no bias; `rope`: they do as the others. */
  readonly attn_type: 'eva' | 'rope'
  /** One weight for queries, keys and values. */
  readonly qkv_fused: boolean
  /** Heads of keys and values, block by block. Default: as many as of queries. */
  readonly num_kv_heads?: readonly number[]
  readonly scale_attn_inner: boolean
  readonly swiglu_mlp: boolean
  /** Hidden features of the gated MLP are a multiple of this. 0: any. */
  readonly swiglu_align_to: number
  readonly scale_mlp: boolean
  readonly attn_only_layer_scale: boolean
}

/** timm's defaults. */
export const EVA_DEFAULTS: EvaConfig = {
  attn_type: 'eva',
  qkv_fused: true,
  scale_attn_inner: false,
  swiglu_mlp: false,
  swiglu_align_to: 0,
  scale_mlp: false,
  attn_only_layer_scale: false,
}

/** Common settings of the blocks of a model, by timm's names. */
export interface BlockConfig extends EvaConfig {
  readonly num_heads: number
  /** Hidden features of the MLP over those of the tokens. */
  readonly mlp_ratio: number
  readonly qkv_bias: boolean
  readonly qk_norm: boolean
  readonly scale_attn_norm: boolean
  readonly scale_mlp_norm: boolean
  readonly proj_bias: boolean
  /** Initial layer scale; 0 is none. */
  readonly init_values: number
  readonly act: string
  readonly mlp: 'mlp' | 'glu' | 'swiglu'
  /** `diff`: differential attention (https://arxiv.org/abs/2410.05258). */
  readonly attn: 'attn' | 'diff'
  /** Dropout of the weights of attention, while training. */
  readonly attn_drop_rate: number
  /** Dropout of what the last projection of attention gives, and twice in the MLP, while training. */
  readonly proj_drop_rate: number
}

/** Inputs of a block beside its tokens. */
export interface BlockContext extends BlockPositions {
  /** Stochastic depth of a branch. */
  readonly drop: Drop
}

/** A block: tokens [batch, tokens, features] to such tokens. `index` is its place among the blocks. */
export type Block = (
  parameters: Parameters,
  config: BlockConfig,
  norm: Norm,
  x: Value,
  index: number,
  context: BlockContext,
) => Value

const attention: Block = (parameters, config, norm, x, index, { bias }) => {
  if (config.attn === 'diff') {
    return x.builder.scope('attn', { kind: 'DiffAttention' }, () => {
      const features = x.shape.at(-1) as number
      const fused = linear(parameters, 'qkv', x, 3 * features, { bias: config.qkv_bias, init: VIT_INIT })
      const parts = op.split(fused, [features, features, features], 2) as [Value, Value, Value]
      const attended = differential(parameters, config, norm, parts, index)
      const scaled = config.scale_attn_norm ? norm(parameters, 'norm', attended) : attended
      return linear(parameters, 'proj', scaled, features, { bias: config.proj_bias, init: VIT_INIT })
    })
  }
  return selfAttention(parameters, 'attn', x, {
    heads: config.num_heads,
    qkvBias: config.qkv_bias,
    projBias: config.proj_bias,
    qkNorm: config.qk_norm ? norm : undefined,
    scaleNorm: config.scale_attn_norm ? norm : undefined,
    bias,
    drop: { attention: config.attn_drop_rate, projection: config.proj_drop_rate },
  })
}

/** The difference of two attention maps a head, normalised head by head. */
function differential(
  parameters: Parameters,
  config: BlockConfig,
  norm: Norm,
  [query, key, value]: readonly [Value, Value, Value],
  index: number,
): Value {
  const heads = config.num_heads
  const features = query.shape.at(-1) as number
  const depth = features / heads / 2
  const { builder } = query
  const halves = (x: Value, name: string, order: readonly number[]) => {
    const normed = config.qk_norm ? normHeads(parameters, name, x, 2 * heads, norm) : x
    const split = op.split(op.reshape(normed, [0, 0, heads, 2 * depth]), [depth, depth], 3)
    return split.map((half) => op.transpose(half, order)) as [Value, Value]
  }
  const queries = halves(query, 'q_norm', [0, 2, 1, 3])
  const keys = halves(key, 'k_norm', [0, 2, 3, 1])
  const map = (i: 0 | 1) => op.softmax(op.mul(op.matMul(queries[i], keys[i]), depth ** -0.5))
  const vector = (name: string) =>
    parameters.weight(builder.path ? `${builder.path}.${name}` : name, [depth], { kind: 'normal', std: 0.1 })
  const product = (i: 1 | 2) =>
    op.exp(op.reduceSum(op.mul(vector(`lambda_q${i}`), vector(`lambda_k${i}`)), [0]))
  const initial = 0.8 - 0.6 * Math.exp(-0.3 * index)
  const lambda = op.add(op.sub(product(1), product(2)), initial)
  const values = op.transpose(op.reshape(value, [0, 0, heads, 2 * depth]), [0, 2, 1, 3])
  const context = op.matMul(op.sub(map(0), op.mul(map(1), lambda)), values)
  const normed = rmsNorm(parameters, 'sub_norm', context, 1e-5)
  return op.reshape(op.transpose(op.mul(normed, 1 - initial), [0, 2, 1, 3]), [0, 0, features])
}

function feedForward(parameters: Parameters, config: BlockConfig, norm: Norm, x: Value): Value {
  return mlp(parameters, 'mlp', x, {
    hidden: hidden(config, x),
    act: config.act,
    bias: config.proj_bias,
    norm: config.scale_mlp_norm ? norm : undefined,
    kind: config.mlp,
    drop: config.proj_drop_rate,
  })
}

const hidden = (config: BlockConfig, x: Value) => Math.trunc((x.shape.at(-1) as number) * config.mlp_ratio)

function scaled(parameters: Parameters, config: BlockConfig, name: string, x: Value): Value {
  return config.init_values ? layerScale(parameters, name, x, config.init_values) : x
}

/** Normalises before attention and before the MLP: the usual block. */
const preNorm: Block = (parameters, config, norm, x, index, context) => {
  const attended = attention(parameters, config, norm, norm(parameters, 'norm1', x), index, context)
  const y = op.add(x, context.drop(scaled(parameters, config, 'ls1', attended)))
  const inner = feedForward(parameters, config, norm, norm(parameters, 'norm2', y))
  return op.add(y, context.drop(scaled(parameters, config, 'ls2', inner)))
}

/** Normalises after each: timm's `ResPostBlock`. */
const postNorm: Block = (parameters, config, norm, x, index, context) => {
  const attended = attention(parameters, config, norm, x, index, context)
  const y = op.add(x, context.drop(norm(parameters, 'norm1', attended)))
  return op.add(y, context.drop(norm(parameters, 'norm2', feedForward(parameters, config, norm, y))))
}

/** Two of each side by side (https://arxiv.org/abs/2203.09795): timm's `ParallelThingsBlock`. */
const twofold: Block = (parameters, config, norm, x, index, context) => {
  const { builder } = x
  const both = (name: string, y: Value, branch: (normed: Value) => Value) => {
    const [first, second] = [0, 1].map((i) =>
      builder.scope(`${name}.${i}`, () =>
        context.drop(scaled(parameters, config, 'ls', branch(norm(parameters, 'norm', y)))),
      ),
    ) as [Value, Value]
    return op.add(y, op.add(first, second))
  }
  const y = both('attns', x, (normed) => attention(parameters, config, norm, normed, index, context))
  return both('ffns', y, (normed) => feedForward(parameters, config, norm, normed))
}

/** Attention and MLP side by side from one product (https://arxiv.org/abs/2302.05442): timm's `ParallelScalingBlock`. */
const parallel: Block = (parameters, config, norm, x, index, context) => {
  const { builder } = x
  const features = x.shape.at(-1) as number
  const inside = hidden(config, x)
  const { num_heads: heads, qkv_bias, proj_bias, attn } = config
  const normed = norm(parameters, 'in_norm', x)
  const all = linear(parameters, 'in_proj', normed, inside + 3 * features, { bias: qkv_bias, init: VIT_INIT })
  const [first, query, key, value] = op.split(all, [inside, features, features, features], 2) as [
    Value,
    Value,
    Value,
    Value,
  ]
  const biased = qkv_bias
    ? first
    : op.add(first, parameters.weight(`${builder.path}.mlp_bias`, [inside], { kind: 'zeros' }))
  const activated = activation(config.act)(biased)
  const options = { bias: proj_bias, init: VIT_INIT }
  let sum: Value
  if (attn === 'diff') {
    const attended = differential(parameters, config, norm, [query, key, value], index)
    sum = linear(parameters, 'out_proj', op.concat([attended, activated], 2), features, options)
  } else {
    const of = (name: string, part: Value) =>
      config.qk_norm ? normHeads(parameters, name, part, heads, norm) : part
    const attended = multiHeadAttention(of('q_norm', query), of('k_norm', key), value, { heads })
    const projected = linear(parameters, 'attn_out_proj', attended, features, options)
    sum = op.add(projected, linear(parameters, 'mlp_out_proj', activated, features, options))
  }
  return op.add(x, context.drop(scaled(parameters, config, 'ls', sum)))
}

/** Blocks by the names that configurations use. */
export const vitBlocks: Readonly<Record<'pre_norm' | 'post_norm' | 'twofold' | 'parallel', Block>> = {
  pre_norm: preNorm,
  post_norm: postNorm,
  twofold,
  parallel,
}
