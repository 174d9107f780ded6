// Door of evaluate/: what embeddings are worth, and which parts of an input they come from.
export { type ColorTokensOptions, colorTokens } from './attribution/colorTokens.ts'
export type { HeatMapOptions } from './attribution/heatMap.ts'
export type * from './attribution/types.ts'
export type { CompareOptions, Comparison, Disagreement } from './compare/compareEmbeddings.ts'
export { bestThreshold } from './duplicates/threshold.ts'
export type * from './duplicates/types.ts'
export { confidentLearning, type Suspect, type Suspects, type SuspectsOptions } from './labels/suspects.ts'
export { type BootstrapOptions, bootstrap, type Interval } from './measures/bootstrap.ts'
export { type ClassificationMeasures, classificationMeasures } from './measures/classification.ts'
export { type ClusterMeasures, clusterMeasures } from './measures/clusters.ts'
export { pearson, ranks, spearman } from './measures/correlation.ts'
export type { FewShotOptions, FewShotResult } from './measures/fewShot.ts'
export type { Clusters, KMeansOptions } from './measures/kMeans.ts'
export type { LabelledVectors } from './measures/labelled.ts'
export type {
  LinearClassifier,
  LinearProbeOptions,
  LogisticRegressionOptions,
} from './measures/logisticRegression.ts'
export type { NearestNeighborsOptions, NeighborPredictions } from './measures/nearestNeighbors.ts'
export { type RankingMeasures, type RankingOptions, rankingMeasures } from './measures/ranking.ts'
export { alignment, anisotropy, type Hubness, hubness, rankMe, uniformity } from './measures/space.ts'
export {
  attribute,
  compareEmbeddings,
  confusionMatrixPlot,
  depthPlot,
  duplicates,
  duplicatesPage,
  duplicateThreshold,
  evaluate,
  evaluateLayers,
  fewShot,
  heatMap,
  kMeans,
  linearProbe,
  logisticRegression,
  nearestNeighbors,
  nearestOthers,
  readTask,
  similarityPlot,
  suspects,
  suspectsPage,
  zeroShotPredictions,
} from './onDemand.ts'
export type * from './pages/types.ts'
export type * from './plots/types.ts'
export type * from './tasks/layerTypes.ts'
export { type MtebOptions, type MtebResult, mtebResult } from './tasks/mteb.ts'
export type { ReadTaskOptions } from './tasks/readTask.ts'
export type * from './tasks/types.ts'
