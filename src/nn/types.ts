// Types of architectures: modes, parameters and how fresh ones are drawn.
import type { Builder, Value } from '../graph/index.ts'

/** `training` adds dropout and batch statistics. */
export type Mode = 'inference' | 'training'

/** How a parameter that no checkpoint provides is drawn. PyTorch's names and meaning (`torch.nn.init`). */
export type Initialization =
  | { readonly kind: 'zeros' }
  | { readonly kind: 'ones' }
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'normal'; readonly mean?: number; readonly std: number }
  | {
      readonly kind: 'truncated_normal'
      readonly mean?: number
      readonly std: number
      readonly a?: number
      readonly b?: number
      /** Of what was drawn, afterwards. Default 1. */
      readonly factor?: number
    }
  | { readonly kind: 'uniform'; readonly a: number; readonly b: number }
  | {
      readonly kind: 'kaiming_uniform'
      readonly a?: number
      readonly nonlinearity?: 'relu' | 'leaky_relu' | 'linear'
    }
  | {
      readonly kind: 'kaiming_normal'
      readonly mode?: 'fan_in' | 'fan_out'
      readonly nonlinearity?: 'relu' | 'leaky_relu' | 'linear'
    }
  | { readonly kind: 'xavier_uniform'; readonly gain?: number }
  | { readonly kind: 'xavier_normal'; readonly gain?: number }
  /** Rows are positions: sines in even columns, cosines in odd ones, as in https://arxiv.org/abs/1706.03762. */
  | { readonly kind: 'sinusoidal' }
  /**
   * Rows are places of a picture, row by row, behind `prefix` rows of zeros: sines and cosines of the column, then of the row, as
   * in MAE (https://arxiv.org/abs/2111.06377).
   */
  | { readonly kind: 'sinusoidal_2d'; readonly columns: number; readonly prefix: number }
  /**
   * [2, blocks, heads, pairs]: frequencies along x and y of rotary positions, in a direction of its own for each head
   * (https://arxiv.org/abs/2403.13298).
   */
  | { readonly kind: 'rotations'; readonly temperature: number }

/** Gives an architecture its parameters, by PyTorch's names (`encoder.layer.0.attention.self.query.weight`). */
export interface Parameters {
  /** In `training` mode, layers use the statistics of their batch and update their buffers. */
  readonly mode: Mode
  /**
   * A tensor that an optimiser trains: the checkpoint's tensor of that name (an error when its shape differs), or one drawn from `init` where
   * there is no checkpoint. The value is float32 whatever the checkpoint stores.
   */
  weight(name: string, shape: readonly number[], init?: Initialization): Value
  /**
   * A tensor that a layer keeps beside its weights and updates itself (running statistics), found like a weight. Once it was updated,
   * asking again gives its next value: a network that is applied twice goes on from its first application, as in PyTorch.
   */
  buffer(name: string, shape: readonly number[], init?: Initialization, options?: BufferOptions): Value
  /**
   * The next value of a buffer: in `training` mode an output of the graph, `<buffer>.next`, whose metadata names the buffer
   * (`updatesOf`), in place of an earlier one; nothing in `inference` mode.
   */
  update(buffer: Value, next: Value): void
}

export interface BufferOptions {
  /** Default `float32`. */
  readonly dtype?: 'float32' | 'int64' | 'int8'
  /** It is drawn where a checkpoint lacks it, as PyTorch does for counters of old checkpoints. Default `false`. */
  readonly optional?: boolean
}

/** An architecture: a function that adds its nodes to a builder and returns named values. */
export type Architecture<Config, Inputs, Outputs> = (
  builder: Builder,
  config: Config,
  parameters: Parameters,
  inputs: Inputs,
  mode: Mode,
) => Outputs
