/**
 * BEiT (https://arxiv.org/abs/2106.08254) and BEiT v2, by timm's names: a vision transformer whose scores get a bias of relative
 * positions, whose keys have no bias, and whose layer scales are `gamma_1` and `gamma_2`.
 */
import { op, type Value } from '../../graph/index.ts'
import type { Block } from './vitBlocks.ts'
import { biasedQkv, deepInit, mlp, selfAttention } from './vitLayers.ts'

/** timm's `Block` of BEiT. */
export const beitBlock: Block = (parameters, config, norm, x, index, { bias, drop }) => {
  const { builder } = x
  const features = x.shape.at(-1) as number
  const scale = (name: string, y: Value) =>
    config.init_values
      ? op.mul(
          y,
          parameters.weight(`${builder.path}.${name}`, [features], {
            kind: 'constant',
            value: config.init_values,
          }),
        )
      : y
  const attended = selfAttention(parameters, 'attn', norm(parameters, 'norm1', x), {
    heads: config.num_heads,
    bias,
    project: (y) => biasedQkv(parameters, y, config.qkv_bias),
    outInit: deepInit(index),
  })
  const y = op.add(x, drop(scale('gamma_1', attended)))
  const hidden = Math.trunc(features * config.mlp_ratio)
  const inner = mlp(parameters, 'mlp', norm(parameters, 'norm2', y), {
    hidden,
    act: config.act,
    outInit: deepInit(index),
  })
  return op.add(y, drop(scale('gamma_2', inner)))
}
