/**
 * The blocks of timm's `Eva`: EVA (https://arxiv.org/abs/2211.07636), EVA-02 (https://arxiv.org/abs/2303.11331), DINOv3
 * (https://arxiv.org/abs/2508.10104), the Perception Encoder (https://arxiv.org/abs/2504.13181) and vision transformers with rotary
 * positions (https://arxiv.org/abs/2403.13298).
 */
import { op, type Value } from '../../graph/index.ts'
import { linear } from '../layers/layers.ts'
import type { Parameters } from '../types.ts'
import type { Block, BlockConfig } from './vitBlocks.ts'
import { biasedQkv, deepInit, mlp, type Norm, selfAttention, VIT_INIT } from './vitLayers.ts'
import type { BlockPositions } from './vitPositions.ts'

/** timm's `EvaBlock`. */
export const evaBlock: Block = (parameters, config, norm, x, index, context) => {
  const { builder } = x
  const scaled = (name: string, y: Value) => {
    const value = config.init_values
    if (!value || (name === 'gamma_2' && config.attn_only_layer_scale)) return y
    return op.mul(
      y,
      parameters.weight(`${builder.path}.${name}`, [x.shape.at(-1) as number], { kind: 'constant', value }),
    )
  }
  const attended = attention(parameters, config, norm, norm(parameters, 'norm1', x), index, context)
  const y = op.add(x, context.drop(scaled('gamma_1', attended)))
  const inner = feedForward(parameters, config, norm, norm(parameters, 'norm2', y), index)
  return op.add(y, context.drop(scaled('gamma_2', inner)))
}

/** timm's `EvaBlockPostNorm`. */
export const evaPostNormBlock: Block = (parameters, config, norm, x, index, context) => {
  const attended = attention(parameters, config, norm, x, index, context)
  const y = op.add(x, context.drop(norm(parameters, 'norm1', attended)))
  return op.add(y, context.drop(norm(parameters, 'norm2', feedForward(parameters, config, norm, y, index))))
}

function attention(
  parameters: Parameters,
  config: BlockConfig,
  norm: Norm,
  x: Value,
  index: number,
  { rotation }: BlockPositions,
): Value {
  const { num_heads: heads, num_kv_heads, qk_norm, scale_attn_inner, qkv_bias, qkv_fused, attn_type } = config
  const keyHeads = num_kv_heads?.[index] ?? heads
  const project = (y: Value) => {
    if (qkv_fused) return biasedQkv(parameters, y, qkv_bias)
    const features = y.shape.at(-1) as number
    const part = (name: string, count: number, bias: boolean) =>
      linear(parameters, name, y, (features / heads) * count, { bias, init: VIT_INIT })
    const query = part('q_proj', heads, qkv_bias)
    const key = part('k_proj', keyHeads, qkv_bias && attn_type === 'rope')
    return [query, key, part('v_proj', keyHeads, qkv_bias)] as const
  }
  return selfAttention(parameters, 'attn', x, {
    heads,
    keyHeads,
    qkvBias: qkv_bias,
    qkNorm: qk_norm ? norm : undefined,
    scaleNorm: scale_attn_inner ? norm : undefined,
    rotation,
    outInit: deepInit(index),
    ...(qkv_fused && attn_type === 'rope' ? {} : { project }),
  })
}

function feedForward(
  parameters: Parameters,
  config: BlockConfig,
  norm: Norm,
  x: Value,
  index: number,
): Value {
  const { swiglu_mlp, swiglu_align_to: align, scale_mlp } = config
  const wide = Math.trunc((x.shape.at(-1) as number) * config.mlp_ratio)
  const common = { norm: scale_mlp ? norm : undefined, outInit: deepInit(index) }
  if (!swiglu_mlp) return mlp(parameters, 'mlp', x, { ...common, hidden: wide, act: config.act })
  if (!scale_mlp && !align) {
    return mlp(parameters, 'mlp', x, { ...common, hidden: 2 * wide, act: 'silu', kind: 'glu' })
  }
  const hidden = align ? Math.ceil(wide / align) * align : wide
  return mlp(parameters, 'mlp', x, { ...common, hidden, act: 'silu', kind: 'swiglu' })
}
