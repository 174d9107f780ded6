export { activation } from './activations.ts'
export { buildAlbert } from './albert.ts'
export * from './attention.ts'
export {
  type BertConfig,
  type BertInputs,
  type BertOutputs,
  type BuildBertOptions,
  bert,
  bertConfig,
  buildBert,
} from './bert.ts'
export * from './bertPresets.ts'
export { buildClip, buildClipImage, buildClipText } from './clip.ts'
export { cnnArchitectures, cnnNames, findCnn } from './cnnArchitectures.ts'
export { buildDistilBert } from './distilBert.ts'
export * from './images.ts'
export { draw } from './initialization.ts'
export * from './layers.ts'
export { buildLeNet, type LeNetConfig } from './leNet.ts'
export * from './model.ts'
export { buildModernBert } from './modernBert.ts'
export { buildMpnet } from './mpnet.ts'
export { buildOpenClip } from './openClip.ts'
export * from './parameters.ts'
export * from './pooling.ts'
export { buildQwen3 } from './qwen3.ts'
export { type Random, seeded } from './random.ts'
export { buildRoberta, buildXlmRoberta } from './roberta.ts'
export { buildSwin, type SwinConfig } from './swin.ts'
export { swinPresets } from './swinPresets.ts'
export { textArchitecture, textArchitectures } from './textArchitectures.ts'
export * from './textPresets.ts'
export type { TwoTowers } from './twoTowers.ts'
export * from './types.ts'
export { buildVit, VIT_DEFAULTS, type VitConfig } from './vit.ts'
export { type BuildNamed, findVit, visionArchitectures, vitNames } from './vitArchitectures.ts'
export { vitPresets } from './vitPresets.ts'
