// Door of `pipilo/embed` for users: the room without what only the command line and the store ask of it.
export type { RetrievalDataset } from './inputs/datasets/beir.ts'
export type { RowIterable, RowObject } from './inputs/datasets/memoryRows.ts'
export type {
  ColumnName,
  Dataset,
  DatasetFormat,
  DatasetRow,
  DatasetStream,
  ReadDatasetOptions,
  SkippedRow,
} from './inputs/datasets/types.ts'
export type { ReadBy, ReadInput, ReadInputsOptions } from './inputs/inputs.ts'
export type { Measured } from './inputs/passages/length.ts'
export type { SkippedKind } from './inputs/problems.ts'
export type { CommunityDetectionOptions } from './mining/communityDetection.ts'
export type { AnchorNegatives, NegativeOptions, NegativeVectors } from './mining/hardNegatives.ts'
export type { MinedNegatives, MineHardNegativesOptions, Triplet } from './mining/mineHardNegatives.ts'
export type { AlikePair, ParaphraseMiningOptions } from './mining/paraphraseMining.ts'
export type { SemanticSearchOptions } from './mining/semanticSearch.ts'
export type { Score } from './mining/vectorSet.ts'
export {
  collectDataset,
  communityDetection,
  decodeImage,
  embedder,
  encodePng,
  hardNegatives,
  loadTokenizer,
  mineHardNegatives,
  openRecipe,
  paraphraseMining,
  placementOf,
  readDataset,
  readInputs,
  readRetrieval,
  remote,
  rerank,
  resolveRecipe,
  semanticSearch,
  zeroShot,
} from './onDemand.ts'
export type { OpenRecipeOptions } from './openRecipe.ts'
export type { DecodeOptions } from './pictures/image.ts'
export type { RuntimeOptions } from './recipe/options.ts'
export { recipeKey } from './recipe/recipe.ts'
export type { PromptsFor, Recipe, RecipeSource, RecipeText } from './recipe/types.ts'
export type { RemoteApi, RemoteOptions } from './remote/types.ts'
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
