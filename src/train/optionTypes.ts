// Types of the options of this room's functions.
import { is, type OptionTable, type OptionType } from '../base/index.ts'
import { devices } from '../runtime/index.ts'
import type { ContrastiveOptions as ContrastiveViews } from './augmentations/presets.ts'
import type { ClipNetworkOptions } from './clipNetwork.ts'
import type { BatchOptions } from './data/batches.ts'
import type { ClassOptions } from './data/classSampler.ts'
import type { PictureOptions } from './data/pictures.ts'
import type { PlainOptions } from './data/sampler.ts'
import type { SplitOptions } from './data/split.ts'
import type { HeadNetworkOptions } from './headNetwork.ts'
import type { ByolOptions } from './methods/byol.ts'
import type { ClassificationOptions } from './methods/classification.ts'
import type { Data2VecOptions } from './methods/data2vec.ts'
import type { DistillationOptions } from './methods/distillation.ts'
import type { ImageTextOptions } from './methods/imageText.ts'
import type { TripletsOptions } from './methods/labelledEmbeddings.ts'
import type { MaeOptions } from './methods/mae.ts'
import type { MaskedLanguageModelOptions } from './methods/maskedLanguageModel.ts'
import type { ReconstructionOptions } from './methods/reconstruction.ts'
import type {
  LabelledPairsOptions,
  RankedPairsOptions,
  ScoredPairsOptions,
  SentencesOptions,
  SingleTextsOptions,
  TextTripletsOptions,
} from './methods/sentences.ts'
import type { SimClrOptions } from './methods/simClr.ts'
import type { FreshNetworkOptions, OpenedNetworkOptions } from './networks.ts'
import type { TeacherOptions } from './objective.ts'
import type { ContrastiveOptions } from './objectives/contrastive.ts'
import type { CrossEntropyOptions } from './objectives/crossEntropy.ts'
import type { SupervisedContrastiveOptions } from './objectives/supervisedContrastive.ts'
import type { MetricsOptions, TrainOptions } from './options.ts'
import type { TerminalCurveOptions } from './report/terminalCurve.ts'
import type { RunSnapshotsOptions } from './snapshots.ts'

const positive = is.numeric(0)
const share = is.numeric(0, 1)
const side = is.count(1)
const sides = is.listOf(side, 2, 2)
const numbers = is.listOf(is.numeric())
const distance: OptionType = is.any
const onError = is.oneOf(['throw', 'skip'])

const teacher: OptionTable<TeacherOptions> = {
  momentum: share,
  finalMomentum: share,
  schedule: is.oneOf(['cosine', 'linear']),
  steps: is.count(1),
  mode: is.oneOf(['training', 'inference']),
}

/** Checked further by `checkOptions.ts`, as they lean on each other. */
export const train: OptionTable<TrainOptions> = {
  network: is.any,
  objective: is.any,
  data: is.any,
  validation: is.any,
  batch: is.any,
  epochs: is.any,
  optimizer: is.any,
  schedule: is.any,
  clip: is.any,
  groups: is.any,
  accumulate: is.any,
  average: is.any,
  freeze: is.listOf(is.either(is.name, is.instance('a pattern', 'test'))),
  recompute: is.listOf(is.instance('a pattern', 'test')),
  augment: is.any,
  decodeSize: is.any,
  seed: is.any,
  out: is.name,
  checkpoint: is.any,
  snapshots: is.any,
  resume: is.flag,
  signal: is.abortSignal,
  onProgress: is.callback,
  metrics: is.parts<MetricsOptions>({ every: is.count(1), compute: is.callback }),
  earlyStopping: is.record,
  logEvery: is.any,
  device: is.oneOf(devices),
  threads: is.count(1),
}

const sentences: OptionTable<SentencesOptions> = { dims: is.listOf(is.count(1), 1) }

const contrastive: OptionTable<ContrastiveOptions> = { margin: is.numeric(), distance }

const crossEntropy: OptionTable<CrossEntropyOptions> = {
  labelSmoothing: share,
  weight: is.instance('weights'),
  ignoreIndex: is.numeric(),
}

export const byol: OptionTable<ByolOptions> = {
  hidden: is.count(1),
  out: is.count(1),
  teacher: is.parts(teacher),
}

export const classification: OptionTable<ClassificationOptions> = { ...crossEntropy, logits: is.name }

export const probe: OptionTable<CrossEntropyOptions & { readonly dimensions: number }> = {
  ...crossEntropy,
  dimensions: is.count(1),
}

export const data2vec: OptionTable<Data2VecOptions> = {
  grid: sides,
  layers: is.listOf(is.name, 1),
  ratio: share,
  beta: positive,
  teacher: is.parts(teacher),
}

export const distillation: OptionTable<DistillationOptions> = {
  teacher: is.either(is.name, is.instance('an embedder', 'embed', 'recipe')),
  column: is.name,
  loss: is.oneOf(['embedding', 'similarity']),
  distanceMetric: is.oneOf(['mse', 'l2', 'cosine']),
  divergence: is.oneOf(['mse', 'kl']),
  similarity: is.any,
  temperature: positive,
}

export const imageText: OptionTable<ImageTextOptions> = { loss: is.oneOf(['clip', 'siglip']) }

export const triplets: OptionTable<TripletsOptions> = {
  mining: is.oneOf(['all', 'hard', 'semi-hard']),
  margin: is.numeric(),
  normalize: is.flag,
}

export const classPairs = contrastive

export const supervisedContrast: OptionTable<SupervisedContrastiveOptions> = {
  temperature: positive,
  rescale: is.flag,
}

export const mae: OptionTable<MaeOptions> = { patchSize: is.count(1), ratio: share, normPixLoss: is.flag }

export const maskedLanguageModel: OptionTable<MaskedLanguageModelOptions> = {
  column: is.name,
  ratio: share,
  masked: share,
  random: share,
}

export const reconstruction: OptionTable<ReconstructionOptions> = {
  loss: is.oneOf(['mse', 'smooth-l1']),
  noise: positive,
}

export const scoredPairs: OptionTable<ScoredPairsOptions> = {
  ...sentences,
  loss: is.oneOf(['cosine', 'cosent']),
  scale: is.numeric(),
}

export const labelledPairs: OptionTable<LabelledPairsOptions> = { ...sentences, ...contrastive }

export const rankedPairs: OptionTable<RankedPairsOptions> = {
  ...sentences,
  negatives: is.flag,
  scale: is.numeric(),
}

export const textTriplets: OptionTable<TextTripletsOptions> = { ...sentences, margin: is.numeric(), distance }

export const singleTexts: OptionTable<SingleTextsOptions> = { ...sentences, temperature: positive }

export const simClr: OptionTable<SimClrOptions> = {
  temperature: positive,
  hidden: is.count(1),
  out: is.count(1),
}

export const freshNetwork: OptionTable<FreshNetworkOptions> = {
  config: is.record,
  size: sides,
  mean: numbers,
  std: numbers,
  seed: is.count(0),
  checkpoint: is.instance('a Map of tensors', 'get', 'has'),
}

const { config: _config, size: _size, ...maskedNetwork } = freshNetwork

export { maskedNetwork }

export const openedNetwork: OptionTable<OpenedNetworkOptions> = {
  size: sides,
  maxLength: is.count(1),
  lora: is.record,
}

export const clipNetwork: OptionTable<ClipNetworkOptions> = {
  size: is.count(1),
  patchSize: is.count(1),
  width: is.count(1),
  layers: is.count(1),
  dimensions: is.count(1),
  maxLength: is.count(1),
  tokenizer: is.name,
  seed: is.count(0),
}

export const headNetwork: OptionTable<HeadNetworkOptions> = {
  dimensions: is.count(1),
  classes: is.listOf(is.text, 1),
  mean: numbers,
  std: numbers,
  seed: is.count(0),
  writeBase: is.callback,
}

export const pictures: OptionTable<PictureOptions> = {
  crop: is.any,
  cropRatio: is.any,
  resize: is.any,
  interpolation: is.any,
  background: is.any,
  size: is.either(side, sides),
  channels: is.oneOf([1, 3]),
  cache: is.count(0),
}

export const plainSampler: OptionTable<PlainOptions> = {
  batch: is.count(1),
  seed: is.count(0),
  shuffle: is.flag,
  dropLast: is.flag,
}

export const classSampler: OptionTable<ClassOptions> = {
  classes: is.count(1),
  samples: is.count(1),
  seed: is.count(0),
  few: is.oneOf(['throw', 'drop', 'repeat']),
}

export const batches: OptionTable<BatchOptions> = {
  batch: is.count(1),
  seed: is.count(0),
  epoch: is.count(0),
  shuffle: is.flag,
  dropLast: is.flag,
  startAt: is.count(0),
  sampler: is.either(is.oneOf(['plain', 'distinct']), is.instance('a sampler')),
  pictures: is.instance('options of pictures, or their decoder'),
  onError,
  ahead: is.count(0),
  signal: is.abortSignal,
}

export const splitDataset: OptionTable<SplitOptions> = {
  validation: share,
  seed: is.count(0),
  stratify: is.flag,
}

const { stratify: _stratify, ...splitLabels } = splitDataset

export { splitLabels }

export const views: OptionTable<ContrastiveViews> = {
  strength: positive,
  minimumScale: share,
  normalize: is.either(is.flag, is.record),
}

export const runSnapshots: OptionTable<RunSnapshotsOptions> = {
  interval: is.count(1),
  signal: is.abortSignal,
}

export const terminalCurve: OptionTable<TerminalCurveOptions> = { width: is.count(1), height: is.count(1) }
