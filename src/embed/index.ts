export type { DecodeOptions } from './image.ts'
export { rootOf } from './inputFiles.ts'
export { displayPath, inputFor, type ReadInput, type ReadInputsOptions, readInputs, takes } from './inputs.ts'
export { decodeImage, embedder, loadTokenizer, rerank, zeroShot } from './onDemand.ts'
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
