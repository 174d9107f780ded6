// Door of embed/: embedders of texts and pictures, reading of inputs, zero-shot classification.

export {
  embedderOptionTypes,
  embedderType,
  embedOptionTypes,
  onErrorType,
  passageChunk,
  promptType,
} from './checkOptions.ts'
export { displayPath, findFiles } from './inputs/inputFiles.ts'
export { inputFor, refuseModality } from './inputs/inputFor.ts'
export type { ModelInput } from './inputs/modelInput.ts'
export { pathsOf } from './inputs/pathsOf.ts'
export { isOfFile, SkippedKinds } from './inputs/problems.ts'
export { readInputsOptionTypes } from './inputs/readOptions.ts'
export {
  findInputs,
  modelInput,
  recipeDifferences,
  renderSvg,
  resolveEmbedder,
  rootOf,
  thumbnail,
} from './onDemand.ts'
export type { ResolvedEmbedder } from './openRecipe.ts'
export { queryPrompt, refusePrompt } from './prompt.ts'
export * from './public.ts'
export { optionsKey, readingKey, recipeOptions, withPrompt } from './recipe/recipe.ts'
export { type PlacedToken, placedTokens } from './text/tokenPlaces.ts'
