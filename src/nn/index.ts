// Door of nn/: layers, parameters, and the architectures built from them.
export { cnnArchitectures, cnnNames, findCnn } from './cnn/cnnArchitectures.ts'
export { buildLeNet, type LeNetConfig } from './cnn/leNet.ts'
export { activation } from './layers/activations.ts'
export * from './layers/attention.ts'
export * from './layers/images.ts'
export { draw } from './layers/initialization.ts'
export * from './layers/layers.ts'
export * from './layers/parameters.ts'
export * from './layers/pooling.ts'
export { type Random, seeded } from './layers/random.ts'
export * from './model.ts'
export { buildAlbert } from './text/albert.ts'
export {
  type BertConfig,
  type BertInputs,
  type BertOutputs,
  type BuildBertOptions,
  bert,
  bertConfig,
  buildBert,
} from './text/bert.ts'
export * from './text/bertPresets.ts'
export { buildDistilBert } from './text/distilBert.ts'
export { buildModernBert } from './text/modernBert.ts'
export { buildMpnet } from './text/mpnet.ts'
export { buildQwen3 } from './text/qwen3.ts'
export { buildRoberta, buildXlmRoberta } from './text/roberta.ts'
export { textArchitecture, textArchitectures } from './text/textArchitectures.ts'
export * from './text/textPresets.ts'
export { buildClip, buildClipImage, buildClipText } from './towers/clip.ts'
export { buildOpenClip } from './towers/openClip.ts'
export type { TwoTowers } from './towers/twoTowers.ts'
export * from './types.ts'
export { buildSwin, type SwinConfig } from './vit/swin.ts'
export { swinPresets } from './vit/swinPresets.ts'
export { buildVit, VIT_DEFAULTS, type VitConfig } from './vit/vit.ts'
export { type BuildNamed, findVit, visionArchitectures, vitNames } from './vit/vitArchitectures.ts'
export { vitPresets } from './vit/vitPresets.ts'
