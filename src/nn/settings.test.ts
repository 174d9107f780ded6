import { describe, expect, it } from 'vitest'
import { architecture } from './index.ts'

const invalid = expect.objectContaining({ code: 'OPTION_INVALID' })

describe('settings of timm’s architectures, which a config.json may say', () => {
  it.each([
    ['vit_tiny_patch16_224', { depth: 'x' }],
    ['vit_tiny_patch16_224', { depth: 1e6 }],
    ['vit_tiny_patch16_224', { patch_size: 0 }],
    ['vit_tiny_patch16_224', { num_heads: 1.5 }],
    ['vit_tiny_patch16_224', { img_size: 2 ** 31 }],
    ['swin_tiny_patch4_window7_224', { depths: '../../etc/passwd' }],
    ['swin_tiny_patch4_window7_224', { depths: Array.from({ length: 5000 }, () => 1) }],
    ['swin_tiny_patch4_window7_224', { num_heads: 0 }],
    ['resnet18', { layers: [1e6, 1, 1, 1] }],
    ['resnet18', { layers: 'x' }],
    ['resnet18', { block: 3 }],
    ['efficientnet_b0', { channel_multiplier: '1' }],
    ['convnext_tiny', { in_chans: 2 ** 31 }],
  ])('%s refuses values of another kind and beyond all bounds', (name, settings) => {
    expect(() => architecture(name).build(settings)).toThrow(invalid)
  })

  it('may be others than the preset’s', () => {
    const { graph } = architecture('vit_tiny_patch16_224').build({
      depth: 1,
      init_values: 0.5,
      mlp_ratio: 3.5,
    })
    expect(graph.nodes.length).toBeGreaterThan(10)
  })
})

describe('sizes of transformers’ configurations', () => {
  it.each([
    { num_hidden_layers: 1e6 },
    { num_hidden_layers: 2 ** 31 },
    { hidden_size: 2 ** 31 },
    { vocab_size: 2 ** 40 },
  ])('beyond all bounds are refused before anything is built: %o', (change) => {
    const sizes = {
      ...{ vocab_size: 8, hidden_size: 4, num_hidden_layers: 1, num_attention_heads: 1 },
      ...{ intermediate_size: 4, max_position_embeddings: 4, type_vocab_size: 1 },
    }
    expect(() => architecture('bert').build({ model_type: 'bert', ...sizes, ...change }, new Map())).toThrow(
      expect.objectContaining({ code: 'MODEL_INVALID' }),
    )
  })
})
