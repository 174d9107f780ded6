// Types of the options of this room's functions.
import { is, type OptionTable } from '../base/index.ts'
import { embedderOptionTypes, promptType } from '../embed/index.ts'
import type { HeatMapOptions } from './attribution/heatMap.ts'
import type { AttributeOptions } from './attribution/types.ts'
import type { CompareOptions } from './compare/compareEmbeddings.ts'
import type { DuplicatesOptions } from './duplicates/types.ts'
import type { SuspectsOptions } from './labels/suspects.ts'
import type { FewShotOptions } from './measures/fewShot.ts'
import type { KMeansOptions } from './measures/kMeans.ts'
import type { LinearProbeOptions, LogisticRegressionOptions } from './measures/logisticRegression.ts'
import type { NearestNeighborsOptions } from './measures/nearestNeighbors.ts'
import type { PageOptions } from './pages/types.ts'
import type { ConfusionPlotOptions, DepthPlotOptions, SimilarityPlotOptions } from './plots/types.ts'
import type { EvaluateLayersOptions } from './tasks/layerTypes.ts'
import type { ReadTaskOptions } from './tasks/readTask.ts'
import type { EvaluateOptions } from './tasks/types.ts'

const signal = is.abortSignal
const seed = is.integer
const texts = is.listOf(is.text)

export const signalAlone = { signal }

export const attribute: OptionTable<AttributeOptions> = {
  method: is.oneOf(['integrated-gradients', 'gradient']),
  steps: is.count(1),
  baseline: is.oneOf(['mean', 'black', 'blurred', 'padding']),
  batch: is.count(1),
  prompt: promptType,
  runtime: is.parts<NonNullable<AttributeOptions['runtime']>>({
    workers: is.count(0),
    threads: is.count(1),
    cacheDir: is.name,
  }),
  signal,
}

export const heatMap: OptionTable<HeatMapOptions> = {
  smooth: is.numeric(0),
  limit: is.numeric(0),
  strength: is.numeric(0, 1),
  legend: is.flag,
}

export const evaluate: OptionTable<EvaluateOptions> = {
  neighbors: is.count(1),
  probe: is.flag,
  shots: is.count(1),
  suspects: is.flag,
  space: is.flag,
  at: is.listOf(is.count(1), 1),
  templates: is.listOf(is.text, 1),
  prompts: is.parts<NonNullable<EvaluateOptions['prompts']>>({ query: is.text, document: is.text }),
  resamples: is.count(0),
  seed,
  signal,
  onProgress: is.callback,
}

const {
  tap: _tap,
  normalize: _normalize,
  dimensions: _dimensions,
  chunk: _chunk,
  modality: _modality,
  ...opening
} = embedderOptionTypes
const { suspects: _suspects, ...evaluating } = evaluate

export const evaluateLayers: OptionTable<EvaluateLayersOptions> = {
  ...evaluating,
  embedder: is.parts(opening),
  layers: is.listOf(is.name, 1),
  memory: is.count(1),
}

export const confusionPlot: OptionTable<ConfusionPlotOptions> = {
  classes: texts,
  columns: texts,
  title: is.text,
  columnLabel: is.text,
}

export const similarityPlot: OptionTable<SimilarityPlotOptions> = { labels: texts, title: is.text }

export const depthPlot: OptionTable<DepthPlotOptions> = { title: is.text }

export const readTask: OptionTable<ReadTaskOptions> = {
  kind: is.oneOf(['classification', 'clustering', 'few-shot', 'similarity', 'retrieval', 'zero-shot']),
  test: is.name,
  split: is.name,
  testSplit: is.name,
  name: is.name,
  onError: is.oneOf(['throw', 'skip']),
  signal,
}

export const kMeans: OptionTable<KMeansOptions> = {
  k: is.count(1),
  starts: is.count(1),
  iterations: is.count(1),
  tolerance: is.numeric(0),
  centers: is.instance('vectors'),
  seed,
  signal,
}

export const logisticRegression: OptionTable<LogisticRegressionOptions> = {
  c: is.numeric(0),
  tolerance: is.numeric(0),
  iterations: is.count(1),
  signal,
}

const { c: _c, ...descent } = logisticRegression

export const linearProbe: OptionTable<LinearProbeOptions> = {
  ...descent,
  strengths: is.listOf(is.numeric(0), 1),
  heldOut: is.numeric(0, 1),
  seed,
}

export const fewShot: OptionTable<FewShotOptions> = {
  shots: is.count(1),
  episodes: is.count(1),
  seed,
  signal,
}

export const nearestNeighbors: OptionTable<NearestNeighborsOptions> = {
  k: is.count(1),
  weights: is.oneOf(['uniform', 'distance', 'softmax']),
  temperature: is.numeric(0),
  signal,
}

export const suspects: OptionTable<SuspectsOptions> = {
  by: is.oneOf(['neighbors', 'probe', 'both']),
  k: is.count(1),
  seed,
  signal,
}

export const compareEmbeddings: OptionTable<CompareOptions> = {
  k: is.count(1),
  pairs: is.count(1),
  seed,
  signal,
}

export const duplicates: OptionTable<DuplicatesOptions> = {
  threshold: is.numeric(-1, 1),
  onError: is.oneOf(['throw', 'skip']),
  signal,
  onProgress: is.callback,
}

export const page: OptionTable<PageOptions> = { title: is.text, most: is.count(1), signal }
