// Door of pipeline/: data collections, pipes over columns, operators, models as functions.
export { ops } from './builtIn.ts'
export type * from './builtInTypes.ts'
export {
  type BuiltInChain,
  type Chain,
  type Chained,
  type DataCollection,
  dc,
  type Listing,
  type MapOptions,
  type PassagesOptions,
  type WindowOptions,
} from './collection.ts'
export type { Columns, Yield } from './columns.ts'
export { FailedRow } from './failedRow.ts'
export { type GlobOptions, glob } from './glob.ts'
// All of it, so that `interface Operators` can be added to from outside.
export * from './operator.ts'
export { type PipeBuilder, pipe } from './pipe.ts'
export type { KeptRow, Pipe } from './runPipe.ts'
export { type Pipeline, type PipelineOptions, pipeline, type Task, type TextImagePipeline } from './task.ts'
export type { Progress, RunOptions, Source, StageProgress } from './types.ts'
