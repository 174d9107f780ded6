// Types of the options of this room's functions.
import { is, type OptionTable } from '../base/index.ts'
import type { KernelPcaOptions } from './kernel/kernelPca.ts'
import type { LdaOptions } from './linear/lda.ts'
import type { PcaOptions } from './linear/pca.ts'
import type { RandomProjectionOptions } from './linear/randomProjection.ts'
import type { WhiteningOptions } from './linear/whitening.ts'
import type { TrustworthinessOptions } from './maps/trustworthiness.ts'
import type { TsneOptions } from './maps/tsne.ts'
import type { UmapOptions } from './maps/umap.ts'
import type { CompareQuantizedOptions } from './quantized/compare.ts'
import type { QuantizeOptions } from './quantized/quantize.ts'
import type { FitOptions } from './types.ts'

const rows = is.instance('vectors')
const onError = is.oneOf(['throw', 'skip'])
const components = is.count(1)
const metric = is.oneOf(['euclidean', 'cosine'])
const start = is.oneOf(['pca', 'random'])

export const fit: OptionTable<FitOptions> = {
  onError,
  seed: is.integer,
  signal: is.abortSignal,
  onProgress: is.callback,
}

export const pca: OptionTable<PcaOptions> = {
  ...fit,
  // A whole number, or a share of the variance.
  components: is.either(components, is.numeric(0, 1)),
  solver: is.oneOf(['auto', 'full', 'randomized']),
  whiten: is.flag,
}

export const whitening: OptionTable<WhiteningOptions> = {
  ...fit,
  method: is.oneOf(['pca', 'zca']),
  components,
  epsilon: is.numeric(0),
}

export const lda: OptionTable<LdaOptions> = { ...fit, components, tolerance: is.numeric(0) }

export const randomProjection: OptionTable<RandomProjectionOptions> = {
  ...fit,
  components,
  distortion: is.numeric(0),
  method: is.oneOf(['gaussian', 'sparse']),
  density: is.numeric(0, 1),
  inverse: is.flag,
}

export const kernelPca: OptionTable<KernelPcaOptions> = {
  ...fit,
  components,
  kernel: is.oneOf(['rbf', 'polynomial', 'cosine', 'linear']),
  gamma: is.numeric(),
  degree: is.numeric(),
  coef0: is.numeric(),
  inverse: is.either(is.flag, is.numeric(0)),
}

export const umap: OptionTable<UmapOptions> = {
  ...fit,
  components,
  neighbors: is.count(1),
  minDistance: is.numeric(0),
  spread: is.numeric(0),
  metric,
  epochs: is.count(0),
  learningRate: is.numeric(0),
  start,
}

export const tsne: OptionTable<TsneOptions> = {
  ...fit,
  perplexity: is.numeric(0),
  metric,
  iterations: is.count(1),
  earlyExaggeration: is.numeric(0),
  learningRate: is.either(is.numeric(0), is.oneOf(['auto'])),
  angle: is.numeric(0),
  start,
}

export const trustworthiness: OptionTable<TrustworthinessOptions> = {
  k: is.count(1),
  metric,
  signal: is.abortSignal,
}

export const quantize: OptionTable<QuantizeOptions> = { onError, calibration: rows, signal: is.abortSignal }

export const compareQuantized: OptionTable<CompareQuantizedOptions> = {
  k: is.count(1),
  oversampling: is.numeric(1),
  signal: is.abortSignal,
}
