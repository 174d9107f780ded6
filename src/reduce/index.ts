// Door of reduce/: fewer numbers a vector, by reducers that are fitted, and fewer bits a number.
export type { Kernel, KernelPca, KernelPcaOptions } from './kernel/kernelPca.ts'
export { johnsonLindenstrauss } from './linear/johnsonLindenstrauss.ts'
export type { LdaOptions } from './linear/lda.ts'
export type { PcaOptions } from './linear/pca.ts'
export type { RandomProjectionOptions } from './linear/randomProjection.ts'
export type { WhiteningOptions } from './linear/whitening.ts'
export type { LoadedReducer } from './load.ts'
export type { Metric } from './maps/neighbours.ts'
export type { Start } from './maps/start.ts'
export type { TrustworthinessOptions } from './maps/trustworthiness.ts'
export type { Tsne, TsneOptions } from './maps/tsne.ts'
export type { Umap, UmapOptions } from './maps/umap.ts'
export {
  compareQuantized,
  incrementalPca,
  kernelPca,
  lda,
  loadQuantized,
  loadReducer,
  pca,
  quantize,
  randomProjection,
  singularValues,
  trustworthiness,
  tsne,
  umap,
  whitening,
} from './onDemand.ts'
export type { CompareQuantizedOptions, QuantizedComparison } from './quantized/compare.ts'
export type {
  Precision,
  Quantized,
  QuantizedSearchOptions,
  QuantizeOptions,
} from './quantized/quantize.ts'
export type { RowOptions, Rows } from './rows.ts'
export type * from './types.ts'
