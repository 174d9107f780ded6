// Types of plots.
import type { LayerEvaluation } from '../tasks/layerTypes.ts'

/** Options of {@link confusionMatrixPlot}. */
export interface ConfusionPlotOptions {
  /** Names of the rows. Default: their numbers. */
  readonly classes?: readonly string[]
  /** Names of the columns. Default: those of the rows. */
  readonly columns?: readonly string[]
  readonly title?: string
  /** Default `predicted`. */
  readonly columnLabel?: string
}

/** Options of {@link similarityPlot}. */
export interface SimilarityPlotOptions {
  /** Names of the vectors. Default: their numbers. */
  readonly labels?: readonly string[]
  readonly title?: string
}

/** Options of {@link depthPlot}. */
export interface DepthPlotOptions {
  /** Default: the measure, and the model where there is one. */
  readonly title?: string
}

/** The part of a layer's evaluation that is drawn. */
export type PlottedLayer = Pick<LayerEvaluation, 'layer' | 'depth' | 'main' | 'isDefault'> & {
  readonly model?: { readonly name: string }
}
