// Types of the measuring of layers.
import type { PipiloError } from '../../base/index.ts'
import type { EmbedderOptions } from '../../embed/index.ts'
import type { EvaluateOptions, Evaluation } from './types.ts'

/** Options of {@link evaluateLayers}. */
export interface EvaluateLayersOptions extends Omit<EvaluateOptions, 'suspects'> {
  /** How the model is opened and pooled. Default: as its card says. */
  readonly embedder?: Omit<EmbedderOptions, 'tap' | 'normalize' | 'dimensions' | 'chunk' | 'modality'>
  /** Layers or places to measure. Default: all that give a vector an input. */
  readonly layers?: readonly string[]
  /** Bytes of vectors that are held at a time; the model is run again for layers beyond. Default 512,000,000. */
  readonly memory?: number
}

/** A layer on a task. The rate is that of the run of the model that reads this layer and others; the vectors have length 1. */
export interface LayerEvaluation extends Omit<Evaluation, 'suspects'> {
  readonly layer: string
  readonly kind: string
  /** Share of the graph's operators up to the layer, above 0 and at most 1. */
  readonly depth: number
  /** True for the layer that is the embedding by default. */
  readonly isDefault: boolean
}

/** Result of {@link evaluateLayers}. */
export interface LayerScan {
  /** In the order of depth. */
  readonly layers: readonly LayerEvaluation[]
  /** Place of the best in `layers`; of equals the shallowest. */
  readonly best: number
  /** Place of the layer that is the embedding by default, where it is among them. */
  readonly default?: number
  /** Layers in which there is nothing to measure, such as one that is the same for all inputs, and the error that says so. */
  readonly left: readonly { readonly layer: string; readonly error: PipiloError }[]
  /** How often the model was run over the task's inputs. */
  readonly passes: number
}
