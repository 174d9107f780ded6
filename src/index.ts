/**
 * Pipilo: embeddings of text and pictures, from any layer of any model, indexed and searched.
 *
 * @example
 * ```ts
 * import { cosineSimilarity, embedder } from 'pipilo'
 *
 * const e = await embedder('all-MiniLM-L6-v2')
 * const { vectors: [football, soccer] } = await e.embed(['football', 'soccer'])
 * cosineSimilarity(football, soccer)
 * ```
 *
 * @remarks
 * The rooms below have doors of their own for those who build with graphs: `pipilo/graph`, `pipilo/runtime`, `pipilo/nn`, …
 *
 * @module
 */

export type { ErrorCode, PipiloErrorJSON, PipiloErrorOptions } from './base/index.ts'
export { PipiloError } from './base/index.ts'
export type {
  Allow,
  AnyInput,
  ChunkOptions,
  ChunkPlace,
  Embedder,
  EmbedderOptions,
  EmbedOptions,
  EmbedResult,
  Input,
  LabelScore,
  Measured,
  OpenRecipeOptions,
  Picture,
  Prompt,
  PromptsFor,
  RawImage,
  ReadBy,
  ReadInput,
  ReadInputsOptions,
  Recipe,
  RecipeSource,
  RecipeText,
  RemoteApi,
  RemoteOptions,
  Reranked,
  RerankOptions,
  RuntimeOptions,
  ShapedNumbers,
  SkippedKind,
  StreamResult,
  TensorInput,
  TextImageEmbedder,
  TextImageInput,
  ZeroShotOptions,
} from './embed/index.ts'
export { embedder, openRecipe, recipeKey, remote, rerank, resolveRecipe, zeroShot } from './embed/index.ts'
export type { WriteOptions as GraphWriteOptions } from './graph/files/index.ts'
export type { Graph, Layer } from './graph/index.ts'
export type {
  Card,
  CardOverrides,
  EmbeddingOptions,
  ImagePreprocessing,
  InputModality,
  Modality,
  Model,
  Opened,
  OpenOptions,
  Pooling,
  SaveOptions,
  TextPreprocessing,
  TowerModality,
  Towers,
} from './models/index.ts'
export { cards, open } from './models/index.ts'
// Whole, so that users can declare operators of their own: `declare module 'pipilo' { interface Operators … }`.
export * from './pipeline/index.ts'
export type {
  CompileOptions,
  Device,
  Isolation,
  RunOptions as SessionRunOptions,
  Session,
} from './runtime/index.ts'
export type {
  Collection,
  CollectionOptions,
  Condition,
  ConnectOptions,
  EmbedderIdentity,
  Field,
  FileChanges,
  FileChangesOptions,
  FilesMemory,
  Filter,
  Hit,
  IndexedFile,
  IndexFilesOptions,
  IndexProgress,
  IndexReport,
  KeptRows,
  Metadata,
  MetadataValue,
  OptimizeOptions,
  Query,
  Row,
  SearchOptions,
  Store,
  WriteOptions,
} from './store/index.ts'
export { connect, fileChanges, indexFiles, removeFiles } from './store/index.ts'
export type {
  DType,
  InputValue,
  InputValues,
  MarginalRelevanceOptions,
  Matrix,
  Neighbor,
  Tensor,
  TypedArray,
  Vector,
} from './tensor/index.ts'
export { cosineSimilarity, marginalRelevance, similarityMatrix, topK } from './tensor/index.ts'
