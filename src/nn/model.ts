// Types of built models: options, graphs with named places, stages.
import type { Graph, Initializer, Parameter } from '../graph/index.ts'

import type { Mode } from './types.ts'

export interface BuildOptions {
  /** Default `inference`. */
  readonly mode?: Mode
  /** Seed of what no checkpoint provides. Default 0. */
  readonly seed?: number
  /** Missing tensors are drawn, and shapes that differ ignored, instead of an error. Default `true` (strict). */
  readonly strict?: boolean
  /** Height and width of the pictures. Default: the architecture's. */
  readonly size?: readonly [height: number, width: number]
  /** Outputs of the classifier; 0 leaves the head away. Default: what the checkpoint holds, else the architecture's. */
  readonly classes?: number
}

/** A stage of a vision model: a layer whose output is smaller than its input by `stride` altogether. */
export interface Stage {
  readonly name: string
  readonly stride: number
  readonly channels: number
}

/** A graph built from an architecture, and the names of the places that users ask for. */
export interface BuiltModel {
  readonly graph: Graph
  /** Tensors of the checkpoint that nothing asked for. */
  readonly unused: readonly string[]
  /** Weights and buffers: their names in the graph, which are PyTorch's, and shapes, in the order of use. */
  readonly parameters: readonly Parameter[]
  /** Layer just below the head: what timm gives with `num_classes=0`, [batch, channels]. */
  readonly penultimate?: string
  /** Output of timm's `forward_features`: the unpooled map [batch, channels, height, width] or all tokens. */
  readonly features?: string
  readonly stages?: readonly Stage[]
  /** Feature maps are [batch, height, width, channels], as in timm's Swin Transformers. Default: channels stand before. */
  readonly channelsLast?: true
  /** For vision transformers: the class token after the last norm, the patch tokens, and the embeddings before the first block. */
  readonly classToken?: string
  readonly patchTokens?: string
  readonly patchEmbeddings?: string
  /** For text models: the layers that transformers' `hidden_states` lists, the embeddings first. */
  readonly hiddenStates?: readonly string[]
  /** For text models: the attention map of each layer, [batch, heads, queries, keys], as transformers' `attentions`. */
  readonly attentions?: readonly string[]
  /** Layers that are not there because an operator before them is not translated, and why. */
  readonly blocked?: ReadonlyMap<string, string>
  /** For text models: the token embeddings alone; `feed` puts embeddings of one's own there (transformers' `inputs_embeds`). */
  readonly tokenEmbeddings?: string
}

/**
 * Builds an architecture from the configuration that stands beside its checkpoint (`config.json` of transformers, or a preset
 * by timm's name) and the checkpoint's tensors, or freshly initialised without them.
 */
export type BuildModel<Config = Readonly<Record<string, unknown>>> = (
  config: Config,
  checkpoint?: ReadonlyMap<string, Initializer>,
  options?: BuildOptions,
) => BuiltModel
