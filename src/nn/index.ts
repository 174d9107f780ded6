export { activation } from './activations.ts'
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
export * from './bert-presets.ts'
export * from './images.ts'
export { draw } from './initialization.ts'
export * from './layers.ts'
export * from './model.ts'
export * from './parameters.ts'
export * from './pooling.ts'
export { type Random, seeded } from './random.ts'
export * from './types.ts'
