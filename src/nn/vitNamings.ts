/** What other libraries call the modules and parameters of vision transformers and Swin Transformers that timm has as well. */

/** Names by timm's. */
export interface Naming {
  /** Of a module or a parameter. */
  readonly name: (timm: string) => string
  /** Under which further names checkpoints may hold a parameter. */
  readonly aliases?: (name: string) => readonly string[]
}

type Rules = readonly (readonly [RegExp, string])[]

const renamed = (name: string, rules: Rules) =>
  rules.reduce((result, [pattern, other]) => result.replace(pattern, other), name)

const MLP: Rules = [
  [/\.mlp\.fc1\b/, '.mlp.0'],
  [/\.mlp\.fc2\b/, '.mlp.3'],
]

const VIT: Rules = [
  [/^cls_token$/, 'class_token'],
  [/^pos_embed$/, 'encoder.pos_embedding'],
  [/^patch_embed\.proj\b/, 'conv_proj'],
  // Nothing of torchvision's stands between the two: its next module gives what the first block gets.
  [/^(?:patch_embed|pos_drop)$/, 'encoder.dropout'],
  [/^blocks\.(\d+)/, 'encoder.layers.encoder_layer_$1'],
  [/\.norm([12])\b/, '.ln_$1'],
  // Queries, keys and values are no module of their own.
  [/\.attn\.qkv$/, '.self_attention'],
  [/\.attn\.qkv\./, '.self_attention.in_proj_'],
  [/\.attn\.proj\b/, '.self_attention.out_proj'],
  [/\.attn\b/, '.self_attention'],
  [/^norm\b/, 'encoder.ln'],
  [/^head\b/, 'heads.head'],
  ...MLP,
]

/** Stages and what stands between them are numbered together. */
const swinModule = (name: string) =>
  name
    .replace(/^patch_embed\.proj\b/, 'features.0.0')
    .replace(/^patch_embed\.norm\b/, 'features.0.2')
    .replace(/^patch_embed$/, 'features.0')
    .replace(/^layers\.(\d+)\.downsample\b/, (_, stage) => `features.${2 * Number(stage)}`)
    .replace(/^layers\.(\d+)(?:\.blocks)?\b/, (_, stage) => `features.${2 * Number(stage) + 1}`)
    .replace(/^head\.global_pool$/, 'avgpool')
    .replace(/^head\.fc\b/, 'head')

export const timmNaming: Naming = { name: (timm) => timm }

/** torchvision's `VisionTransformer`. The MLPs of its first checkpoints have `linear_1` and `linear_2`. */
export const torchvisionVit: Naming = {
  name: (timm) => renamed(timm, VIT),
  aliases: (name) => [name.replace(/\.mlp\.0\./, '.mlp.linear_1.').replace(/\.mlp\.3\./, '.mlp.linear_2.')],
}

/** torchvision's `SwinTransformer`. */
export const torchvisionSwin: Naming = { name: (timm) => renamed(swinModule(timm), MLP) }
