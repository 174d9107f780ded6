// Door of train/: objectives, augmentations, loaders and the trainer.

// Augmentations
export * from './augmentations/index.ts'
export { type ClipNetworkOptions, clipNetwork } from './clipNetwork.ts'
// Data: batches, samplers, splits, pictures.
export { type Batch, type BatchOptions, batches, samplerOf } from './data/batches.ts'
export { type ClassOptions, classSampler } from './data/classSampler.ts'
export { classCounts, classWeights } from './data/classWeights.ts'
export { distinctKeys } from './data/distinctKeys.ts'
export { distinctSampler, type SampleKeys } from './data/distinctSampler.ts'
export {
  type DecodedPicture,
  type PictureDecoder,
  type PictureOptions,
  pictureDecoder,
  pictureTensor,
} from './data/pictures.ts'
export { type PlainOptions, plainSampler, type Sampler } from './data/sampler.ts'
export { type SplitOptions, splitDataset, splitLabels, subset } from './data/split.ts'
export { type HeadNetworkOptions, headNetwork } from './headNetwork.ts'
export { maeNetwork, maskedVitNetwork } from './maskedNetworks.ts'
// The trainer
export { type ByolOptions, byol } from './methods/byol.ts'
export { accuracy, type ClassificationOptions, classification } from './methods/classification.ts'
export { type Data2VecOptions, data2vec } from './methods/data2vec.ts'
export { type DistillationOptions, distillation } from './methods/distillation.ts'
export { type ImageTextOptions, imageText } from './methods/imageText.ts'
export {
  classPairs,
  supervisedContrast,
  type TripletsOptions,
  triplets,
} from './methods/labelledEmbeddings.ts'
export { type MaeOptions, mae } from './methods/mae.ts'
export { type MaskedLanguageModelOptions, maskedLanguageModel } from './methods/maskedLanguageModel.ts'
export { probe } from './methods/probe.ts'
export { type ReconstructionOptions, reconstruction } from './methods/reconstruction.ts'
export {
  type LabelledPairsOptions,
  labelledPairs,
  type RankedPairsOptions,
  rankedPairs,
  type ScoredPairsOptions,
  type SentencesOptions,
  type SingleTextsOptions,
  scoredPairs,
  singleTexts,
  type TextTripletsOptions,
  textTriplets,
} from './methods/sentences.ts'
export { type SimClrOptions, simClr } from './methods/simClr.ts'
export { type FreshNetworkOptions, freshNetwork, openedNetwork } from './networks.ts'
export type * from './objective.ts'
export {
  type BatchHardTripletOptions,
  type BatchTripletOptions,
  batchAllTriplet,
  batchHardTriplet,
  batchSemiHardTriplet,
} from './objectives/batchTriplet.ts'
export {
  type BinaryCrossEntropyOptions,
  binaryCrossEntropyWithLogits,
} from './objectives/binaryCrossEntropy.ts'
export { type ContrastiveOptions, contrastive } from './objectives/contrastive.ts'
export { type CrossEntropyOptions, crossEntropy } from './objectives/crossEntropy.ts'
export {
  type Data2VecLossOptions,
  type Data2VecTargetOptions,
  data2vecLoss,
  data2vecTarget,
  type TargetNorm,
} from './objectives/data2vec.ts'
export {
  type EmbeddingDistillationOptions,
  embeddingDistillation,
  type MarginMseOptions,
  marginMse,
  type ScoreDistillationOptions,
  type SimilarityDistillationOptions,
  scoreDistillation,
  similarityDistillation,
} from './objectives/distillation.ts'
export {
  type ClipLossOptions,
  clampLogitScale,
  clipLoss,
  MAX_LOGIT_SCALE,
  type SigLipLossOptions,
  sigLipLoss,
} from './objectives/imageText.ts'
export {
  type MaskedReconstructionOptions,
  maskedReconstruction,
  patchify,
} from './objectives/maskedReconstruction.ts'
export { type MatryoshkaOptions, matryoshka } from './objectives/matryoshka.ts'
export {
  type MultipleNegativesRankingOptions,
  multipleNegativesRanking,
  type SimCseOptions,
  simCse,
} from './objectives/multipleNegatives.ts'
export {
  type NegativeCosineSimilarityOptions,
  negativeCosineSimilarity,
} from './objectives/negativeCosineSimilarity.ts'
export { type NtXentOptions, ntXent } from './objectives/ntXent.ts'
export { meanSquaredError, type SmoothL1Options, smoothL1 } from './objectives/regression.ts'
export {
  type AngleOptions,
  angleLoss,
  type CoSentOptions,
  coSent,
  cosineSimilarityLoss,
} from './objectives/similarityScores.ts'
export {
  type SupervisedContrastiveOptions,
  supervisedContrastive,
} from './objectives/supervisedContrastive.ts'
export { type TripletOptions, tripletLoss } from './objectives/triplet.ts'
export type { VectorDistance, VectorSimilarity } from './objectives/vectors.ts'
export { train } from './onDemand.ts'
export type * from './options.ts'
export {
  type RecipeChoices,
  type RecipeParts,
  type TrainingRecipe,
  trainingRecipe,
  trainingRecipes,
} from './recipes/index.ts'
export { curvesPage, curvesSvg } from './report/curves.ts'
export { type TerminalCurveOptions, terminalCurve } from './report/terminalCurve.ts'
export { type RunSnapshotsOptions, runSnapshots, type Snapshot } from './snapshots.ts'
export { type StepOptions, type TrainingStep, trainingStep } from './step.ts'
export { embedDataset, type VectorRow } from './vectorData.ts'
