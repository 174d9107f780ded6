// Types of tensors on their way to a graph.
import type { Tensor } from '../../tensor/index.ts'

/** A tensor for an input of the graph; `row`: its first axis is the batch, and is 1. */
export interface Fitted {
  readonly tensor: Tensor
  readonly row: boolean
}

/** Tensors of one input, by the names of the graph's inputs. */
export interface TensorContent {
  /** The same for inputs that may run together. */
  readonly key: string
  readonly fed: ReadonlyMap<string, Fitted>
  /** Sizes of the symbols in the graph's shapes. */
  readonly sizes: ReadonlyMap<string, number>
}
