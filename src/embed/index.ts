export type { DecodeOptions } from './image.ts'
export { inputFor, takes } from './inputFor.ts'
export type { ReadInput, ReadInputsOptions } from './inputs.ts'
export { decodeImage, embedder, loadTokenizer, readInputs, rerank, rootOf, zeroShot } from './onDemand.ts'
export { refusePrompt } from './prompt.ts'
export type { Encoding, TextTokenizer, TokenizerOptions } from './tokenizer.ts'
export type * from './types.ts'
export type {
  LabelScore,
  Picture,
  Reranked,
  RerankOptions,
  TextImageEmbedder,
  ZeroShotOptions,
} from './zeroShot.ts'
