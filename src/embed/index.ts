// Door of embed/: embedders of texts and pictures, reading of inputs, zero-shot classification.
export { inputFor, refuseModality } from './inputs/inputFor.ts'
export type { ReadInput, ReadInputsOptions } from './inputs/inputs.ts'
export {
  decodeImage,
  embedder,
  loadTokenizer,
  openRecipe,
  placementOf,
  readInputs,
  recipeDifferences,
  rerank,
  resolveEmbedder,
  resolveRecipe,
  rootOf,
  zeroShot,
} from './onDemand.ts'
export type { OpenRecipeOptions, ResolvedEmbedder } from './openRecipe.ts'
export type { DecodeOptions } from './pictures/image.ts'
export { refusePrompt } from './prompt.ts'
export type { RuntimeOptions } from './recipe/options.ts'
export { optionsKey, readingKey, recipeKey, recipeOptions, withPrompt } from './recipe/recipe.ts'
export type { Recipe, RecipeSource, RecipeText } from './recipe/types.ts'
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
