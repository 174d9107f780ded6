/** What torchvision calls the parameters of its vision transformers and Swin Transformers, from timm's names. */

const VIT: readonly (readonly [RegExp, string])[] = [
  [/^cls_token$/, 'class_token'],
  [/^pos_embed$/, 'encoder.pos_embedding'],
  [/^patch_embed\.proj\./, 'conv_proj.'],
  [/^blocks\.(\d+)\./, 'encoder.layers.encoder_layer_$1.'],
  [/\.norm([12])\./, '.ln_$1.'],
  [/\.attn\.qkv\./, '.self_attention.in_proj_'],
  [/\.attn\.proj\./, '.self_attention.out_proj.'],
  [/^norm\./, 'encoder.ln.'],
  [/^head\./, 'heads.head.'],
]

const MLP = [
  [/\.mlp\.fc1\./, '.mlp.0.'],
  [/\.mlp\.fc2\./, '.mlp.3.'],
] as const

const rename = (name: string, rules: readonly (readonly [RegExp, string])[]) =>
  rules.reduce((result, [pattern, other]) => result.replace(pattern, other), name)

/** Of `VisionTransformer`; its first checkpoints have `mlp.linear_1` and `mlp.linear_2`. */
export function torchvisionVitNames(name: string): readonly string[] {
  const own = rename(name, VIT)
  return [rename(own, MLP), own.replace(/\.mlp\.fc([12])\./, '.mlp.linear_$1.')]
}

/** Of `SwinTransformer`: stages and what stands between them are numbered together. */
export function torchvisionSwinNames(name: string): readonly string[] {
  const numbered = name
    .replace(/^patch_embed\.proj\./, 'features.0.0.')
    .replace(/^patch_embed\.norm\./, 'features.0.2.')
    .replace(/^layers\.(\d+)\.blocks\./, (_, stage) => `features.${2 * Number(stage) + 1}.`)
    .replace(/^layers\.(\d+)\.downsample\./, (_, stage) => `features.${2 * Number(stage)}.`)
    .replace(/^head\.fc\./, 'head.')
  return [rename(numbered, MLP)]
}
