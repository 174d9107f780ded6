// Door of embed/: embedders of texts and pictures, reading of inputs, zero-shot classification.
export { inputFor, refuseModality } from './inputs/inputFor.ts'
export type { ReadInput, ReadInputsOptions } from './inputs/inputs.ts'
export {
  decodeImage,
  embedder,
  loadTokenizer,
  placementOf,
  readInputs,
  rerank,
  rootOf,
  zeroShot,
} from './onDemand.ts'
export type { DecodeOptions } from './pictures/image.ts'
export { refusePrompt } from './prompt.ts'
export type { Encoding, TextTokenizer, TokenizerOptions } from './text/tokenizer.ts'
export type {
  LabelScore,
  Picture,
  Reranked,
  RerankOptions,
  TextImageEmbedder,
  ZeroShotOptions,
} from './towers/zeroShot.ts'
export type * from './types.ts'
