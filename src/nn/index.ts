// Door of nn/: layers, parameters, and the architectures built from them.
export { MASK_COUNTER } from '../graph/index.ts'
export * from './architectures.ts'

export {
  buildConvAutoencoder,
  type ConvAutoencoderConfig,
} from './autoencoders/convAutoencoder.ts'
export { buildMlpAutoencoder, type MlpAutoencoderConfig } from './autoencoders/mlpAutoencoder.ts'
export { buildLeNet, type LeNetConfig } from './cnn/leNet.ts'
export { maskedLanguageHead } from './heads/maskedLanguageHead.ts'
export * from './heads/projectionHeads.ts'
export { activation } from './layers/activations.ts'
export * from './layers/attention.ts'
export * from './layers/images.ts'
export { draw } from './layers/initialization.ts'
export * from './layers/layers.ts'
export * from './layers/parameters.ts'
export * from './layers/pooling.ts'
export { type Random, seeded } from './layers/random.ts'
export { applyLora, type LoraAdapter } from './lora/adapter.ts'
export type { LoraTargets } from './lora/linearLayers.ts'
export * from './lora/lora.ts'
export { buildMae, type MaeConfig } from './masked/mae.ts'
export { buildMaskedVit, type MaskedVitConfig } from './masked/maskedVit.ts'
export { gatherTokens, patchify, unpatchify } from './masked/patches.ts'
export * from './model.ts'
export {
  type BertConfig,
  type BertInputs,
  type BertOutputs,
  type BuildBertOptions,
  bert,
  bertConfig,
  buildBert,
} from './text/bert.ts'
export { buildSentenceEncoder, type SentenceEncoderOptions } from './text/sentenceEncoder.ts'
export { buildStaticEmbedding } from './text/staticEmbedding.ts'
export { buildClip, buildClipImage, buildClipText } from './towers/clip.ts'
export { buildOpenClip } from './towers/openClip.ts'
export { buildClipPair, buildDualEncoder, type DualEncoderConfig } from './towers/pair.ts'
export type { TwoTowers } from './towers/twoTowers.ts'
export * from './types.ts'
