/** Parts that vision transformers share, by timm's names. */
import { op, type Value } from '../../graph/index.ts'
import { activation } from '../layers/activations.ts'
import { attend, multiHeadAttention, splitHeads } from '../layers/attention.ts'
import { conv2d, dropout, type LayerInit, layerNorm, linear, rmsNorm } from '../layers/layers.ts'
import type { Parameters } from '../types.ts'
import { type ImageRotation, rotateHeads } from './imageRotary.ts'

/** Fresh weights of vision transformers: normal with deviation 0.02, cut off; biases zero. */
export const VIT_INIT: LayerInit = {
  weight: { kind: 'truncated_normal', std: 0.02 },
  bias: { kind: 'zeros' },
}

/** Fresh weights of what blocks of BEiT and EVA add to the tokens, smaller from block to block. */
export const deepInit = (block: number): LayerInit => ({
  weight: { kind: 'truncated_normal', std: 0.02, factor: 1 / Math.sqrt(2 * (block + 1)) },
  bias: { kind: 'zeros' },
})

/** A norm of the kind that a model has throughout. */
export type Norm = (parameters: Parameters, name: string, x: Value) => Value

/** @param kind `layer` or `rms` */
export function normOf(kind: 'layer' | 'rms', epsilon: number): Norm {
  return kind === 'layer'
    ? (parameters, name, x) => layerNorm(parameters, name, x, epsilon)
    : (parameters, name, x) => rmsNorm(parameters, name, x, epsilon)
}

/** Patches of a picture [batch, channels, height, width] as vectors [batch, patches, features]: `<name>.proj`. */
export function patchEmbed(
  parameters: Parameters,
  name: string,
  x: Value,
  features: number,
  patch: number | readonly [number, number],
  options: {
    readonly bias?: boolean
    readonly projection?: string
    readonly init?: LayerInit
    /** Normalises the vectors: `<name>.norm`. */
    readonly norm?: Norm | undefined
  } = {},
): Value {
  const { bias = true, projection = 'proj', init, norm } = options
  return x.builder.scope(name, { kind: 'PatchEmbed' }, () => {
    const tokens = tokensOf(
      conv2d(parameters, projection, x, features, {
        kernel: patch,
        stride: patch,
        bias,
        ...(init ? { init } : {}),
      }),
    )
    return norm ? norm(parameters, 'norm', tokens) : tokens
  })
}

/** A feature map [batch, channels, height, width] as tokens [batch, height × width, channels]. */
export function tokensOf(map: Value): Value {
  const [, channels, height, width] = map.shape as number[]
  return op.transpose(op.reshape(map, [0, channels!, height! * width!]), [0, 2, 1])
}

/** The same tokens [1, count, features] for every picture, put before its own [batch, patches, features]. */
export function prependTokens(tokens: Value, x: Value): Value {
  const { builder } = x
  const shape = op.concat([op.shape(x, 0, 1), builder.constant(tokens.shape.slice(1) as number[])], 0)
  return op.concat([op.expand(tokens, shape), x], 1)
}

/** Scales each feature: `<name>.gamma`. */
export function layerScale(parameters: Parameters, name: string, x: Value, initial: number): Value {
  const { builder } = x
  return builder.scope(name, { kind: 'LayerScale' }, () =>
    op.mul(
      x,
      parameters.weight(`${builder.path}.gamma`, [x.shape.at(-1) as number], {
        kind: 'constant',
        value: initial,
      }),
    ),
  )
}

/** Added to the scores of attention; a function makes it in the scope of the attention. */
export type ScoreBias = Value | (() => Value)

/** Options of {@link selfAttention}. */
export interface SelfAttentionOptions {
  readonly heads: number
  /** Default `true`. */
  readonly qkvBias?: boolean
  /** Default `true`. */
  readonly projBias?: boolean
  /** Normalises queries and keys head by head: `q_norm`, `k_norm`. */
  readonly qkNorm?: Norm | undefined
  /** Normalises what attention gives, before the projection: `norm`. */
  readonly scaleNorm?: Norm | undefined
  readonly bias?: ScoreBias | undefined
  /** Turns queries and keys. */
  readonly rotation?: ImageRotation | undefined
  /** Heads of keys and values. Default: `heads`. */
  readonly keyHeads?: number
  /** How the last projection is drawn. Default {@link VIT_INIT}. */
  readonly outInit?: LayerInit
  /** Probabilities of dropping weights of attention, and what the last projection gives, while training. Default 0. */
  readonly drop?: { readonly attention: number; readonly projection: number }
  /** Default: one product with the fused weight `qkv`. */
  readonly project?: (x: Value) => readonly [query: Value, key: Value, value: Value]
}

/** timm's `Attention`: `qkv`, `q_norm`, `k_norm`, `norm`, `proj` below `name`. */
export function selfAttention(
  parameters: Parameters,
  name: string,
  x: Value,
  options: SelfAttentionOptions,
): Value {
  const { heads, keyHeads = heads, qkvBias = true, projBias = true, qkNorm, scaleNorm, bias } = options
  const { rotation, outInit = VIT_INIT, drop = { attention: 0, projection: 0 } } = options
  return x.builder.scope(name, { kind: 'Attention' }, () => {
    const features = x.shape.at(-1) as number
    const fused = () => op.split(qkv(parameters, x, qkvBias), [features, features, features], 2)
    const [query, key, value] = (options.project?.(x) ?? fused()) as [Value, Value, Value]
    const queries = qkNorm ? normHeads(parameters, 'q_norm', query, heads, qkNorm) : query
    const keys = qkNorm ? normHeads(parameters, 'k_norm', key, keyHeads, qkNorm) : key
    const mask = typeof bias === 'function' ? bias() : bias
    const { mode } = parameters
    const dropping = { ...(mask ? { mask } : {}), dropout: drop.attention, mode }
    const attended = rotation
      ? attend(
          rotateHeads(splitHeads(queries, heads), rotation),
          op.transpose(rotateHeads(splitHeads(keys, keyHeads), rotation), [0, 1, 3, 2]),
          splitHeads(value, keyHeads),
          dropping,
        )
      : multiHeadAttention(queries, keys, value, { heads, ...dropping })
    const scaled = scaleNorm ? scaleNorm(parameters, 'norm', attended) : attended
    const projected = linear(parameters, 'proj', scaled, features, { bias: projBias, init: outInit })
    return dropout(projected, drop.projection, mode)
  })
}

/** Queries, keys and values of one weight `qkv`; only queries and values have a bias: `q_bias`, `v_bias`. */
export function biasedQkv(
  parameters: Parameters,
  x: Value,
  biased: boolean,
): readonly [query: Value, key: Value, value: Value] {
  const { builder } = x
  const features = x.shape.at(-1) as number
  const fused = qkv(parameters, x, false)
  const [query, key, value] = op.split(fused, [features, features, features], 2) as [Value, Value, Value]
  if (!biased) return [query, key, value]
  const bias = (name: string) => parameters.weight(`${builder.path}.${name}`, [features], { kind: 'zeros' })
  return [op.add(query, bias('q_bias')), key, op.add(value, bias('v_bias'))]
}

function qkv(parameters: Parameters, x: Value, bias: boolean): Value {
  return linear(parameters, 'qkv', x, 3 * (x.shape.at(-1) as number), { bias, init: VIT_INIT })
}

/** Normalises each head's part of [batch, tokens, features] by itself. */
export function normHeads(parameters: Parameters, name: string, x: Value, heads: number, norm: Norm): Value {
  const features = x.shape.at(-1) as number
  const split = op.reshape(x, [0, 0, heads, features / heads])
  return op.reshape(norm(parameters, name, split), [0, 0, features])
}

/** Options of {@link mlp}. */
export interface MlpOptions {
  readonly hidden: number
  readonly act: string
  /** Default `true`. */
  readonly bias?: boolean
  /** Normalises what the activation gives: `norm`. */
  readonly norm?: Norm | undefined
  /**
   * `glu`: half of `fc1` gates the other half (timm's `GluMlp` with `gate_last=False`); `swiglu`: `fc1_g` gates `fc1_x`. Default
   * `mlp`.
   */
  readonly kind?: 'mlp' | 'glu' | 'swiglu'
  /** How layers are drawn. Default {@link VIT_INIT}. */
  readonly init?: LayerInit
  /** How the last one is drawn. Default: as the others. */
  readonly outInit?: LayerInit
  /** Features of the result. Default: those of the input. */
  readonly out?: number
  /** Probability of dropping what the activation and the last layer give, while training. Default 0. */
  readonly drop?: number
}

const MLP_KINDS = { mlp: 'Mlp', glu: 'GluMlp', swiglu: 'SwiGLU' }

/** timm's `Mlp`, `GluMlp` and `SwiGLU`: `fc1`, `norm`, `fc2` below `name`. */
export function mlp(parameters: Parameters, name: string, x: Value, options: MlpOptions): Value {
  const { hidden, act, bias = true, norm, kind = 'mlp', out = x.shape.at(-1) as number } = options
  const { init = VIT_INIT, outInit = init, drop = 0 } = options
  const { mode } = parameters
  return x.builder.scope(name, { kind: MLP_KINDS[kind] }, () => {
    const inner = (which: string) => linear(parameters, which, x, hidden, { bias, init })
    let activated: Value
    if (kind === 'mlp') activated = activation(act)(inner('fc1'))
    else {
      const [gate, value] =
        kind === 'swiglu'
          ? [inner('fc1_g'), inner('fc1_x')]
          : (op.split(inner('fc1'), [hidden / 2, hidden / 2], 2) as [Value, Value])
      activated = op.mul(activation(act)(gate), value)
    }
    const kept = dropout(activated, drop, mode)
    const normed = norm ? norm(parameters, 'norm', kept) : kept
    return dropout(linear(parameters, 'fc2', normed, out, { bias, init: outInit }), drop, mode)
  })
}

/** timm's `AttentionPoolLatent`: a learned query gathers all tokens [batch, tokens, features] into one vector [batch, features]. */
export function attentionPool(
  parameters: Parameters,
  name: string,
  x: Value,
  options: { readonly heads: number; readonly hidden: number; readonly act: string; readonly norm: Norm },
): Value {
  const { heads, hidden, act, norm } = options
  const { builder } = x
  return builder.scope(name, { kind: 'AttentionPoolLatent' }, () => {
    const features = x.shape.at(-1) as number
    const std = features ** -0.5
    const latent = parameters.weight(`${builder.path}.latent`, [1, 1, features], {
      kind: 'truncated_normal',
      std,
    })
    const query = linear(parameters, 'q', latent, features, { init: VIT_INIT })
    const pair = linear(parameters, 'kv', x, 2 * features, { init: VIT_INIT })
    const [key, value] = op.split(pair, [features, features], 2) as [Value, Value]
    const attended = multiHeadAttention(query, key, value, { heads })
    const projected = linear(parameters, 'proj', attended, features, { init: VIT_INIT })
    const inner = mlp(parameters, 'mlp', norm(parameters, 'norm', projected), { hidden, act })
    return op.squeeze(op.add(projected, inner), [1])
  })
}
