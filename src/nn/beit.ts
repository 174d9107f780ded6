/**
 * BEiT (https://arxiv.org/abs/2106.08254) and BEiT v2, by timm's names: a vision transformer whose scores get a bias of relative
 * positions, whose keys have no bias, and whose layer scales are `gamma_1` and `gamma_2`.
 */
import { op, type Value } from '../graph/index.ts'
import { linear } from './layers.ts'
import type { Parameters } from './types.ts'
import type { Block } from './vitBlocks.ts'
import { mlp, selfAttention, VIT_INIT } from './vitLayers.ts'

/** timm's `Block` of BEiT. */
export const beitBlock: Block = (parameters, config, norm, x, _index, bias) => {
  const { builder } = x
  const features = x.shape.at(-1) as number
  const scale = (name: string, y: Value) =>
    config.init_values
      ? op.mul(
          y,
          parameters(`${builder.path}.${name}`, [features], { kind: 'constant', value: config.init_values }),
        )
      : y
  const attended = selfAttention(parameters, 'attn', norm(parameters, 'norm1', x), {
    heads: config.num_heads,
    bias,
    project: (y) => project(parameters, y, config.qkv_bias),
  })
  const y = op.add(x, scale('gamma_1', attended))
  const hidden = Math.trunc(features * config.mlp_ratio)
  const inner = mlp(parameters, 'mlp', norm(parameters, 'norm2', y), { hidden, act: config.act })
  return op.add(y, scale('gamma_2', inner))
}

function project(parameters: Parameters, x: Value, biased: boolean): readonly [Value, Value, Value] {
  const { builder } = x
  const features = x.shape.at(-1) as number
  const fused = linear(parameters, 'qkv', x, 3 * features, { bias: false, init: VIT_INIT })
  const [query, key, value] = op.split(fused, [features, features, features], 2) as [Value, Value, Value]
  if (!biased) return [query, key, value]
  const bias = (name: string) => parameters(`${builder.path}.${name}`, [features], { kind: 'zeros' })
  return [op.add(query, bias('q_bias')), key, op.add(value, bias('v_bias'))]
}
