/** Names in other libraries of the modules and parameters of vision and Swin Transformers that timm has as well. */
import type { Initializer } from '../../graph/index.ts'
import { storedTensor } from './visionConfig.ts'

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
const torchvisionVit: Naming = {
  name: (timm) => renamed(timm, VIT),
  aliases: (name) => [name.replace(/\.mlp\.0\./, '.mlp.linear_1.').replace(/\.mlp\.3\./, '.mlp.linear_2.')],
}

/** torchvision's `SwinTransformer`. */
export const torchvisionSwin: Naming = { name: (timm) => renamed(swinModule(timm), MLP) }

/**
 * Facebook's DINOv2 (https://github.com/facebookresearch/dinov2).
 *
 * @param chunkOf the chunk that holds a block, where blocks are trained in chunks
 * @param gated the MLPs have gates: `w12`, `w3`
 */
function dinov2(chunkOf: ReadonlyMap<string, string>, gated: boolean): Naming {
  const gates: Rules = [
    [/\.mlp\.fc1\b/, '.mlp.w12'],
    [/\.mlp\.fc2\b/, '.mlp.w3'],
  ]
  const inChunk = (whole: string, block: string) =>
    chunkOf.has(block) ? `blocks.${chunkOf.get(block)}.${block}` : whole
  return {
    name: (timm) =>
      renamed(timm, [[/^reg_token$/, 'register_tokens'], ...(gated ? gates : [])]).replace(
        /^blocks\.(\d+)/,
        inChunk,
      ),
  }
}

/** Libraries whose names a vision transformer may have. */
export type VitNames = 'timm' | 'torchvision' | 'dinov2'

/**
 * Naming of a checkpoint, or the wanted one where there is no checkpoint.
 *
 * @param prefixes that may stand before its names
 * @param options.gated the MLPs have gates
 */
export function vitNaming(
  checkpoint: ReadonlyMap<string, Initializer> | undefined,
  prefixes: readonly string[],
  options: { readonly wanted: VitNames; readonly gated: boolean },
): { readonly names: VitNames; readonly naming: Naming } {
  const has = (name: string) => storedTensor(checkpoint, prefixes, name) !== undefined
  const chunks = [...(checkpoint?.keys() ?? [])].flatMap((name): [string, string][] => {
    const [, chunk, block] = /(?:^|\.)blocks\.(\d+)\.(\d+)\.norm1\.weight$/.exec(name) ?? []
    return chunk === undefined ? [] : [[block!, chunk]]
  })
  const told = (): VitNames => {
    if (has(torchvisionVit.name('patch_embed.proj.weight'))) return 'torchvision'
    return chunks.length > 0 || has('register_tokens') || has('blocks.0.mlp.w12.weight') ? 'dinov2' : 'timm'
  }
  const names = checkpoint ? told() : options.wanted
  if (names === 'dinov2') return { names, naming: dinov2(new Map(chunks), options.gated) }
  return { names, naming: names === 'torchvision' ? torchvisionVit : timmNaming }
}
