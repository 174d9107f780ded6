// Door of graph/: the ONNX graph, its builder and operators, shape inference, files, passes and quantisation.
export {
  Builder,
  type BuilderOptions,
  type CopyOptions,
  KIND_KEY,
  type NodeOptions,
  type ScopeOptions,
  Value,
} from './builder.ts'
export { type IncludeOptions, include } from './include.ts'
export { type InferOptions, inferShapes } from './inference/infer.ts'
export type { Fact } from './inference/rule.ts'
export { maskStream } from './maskStreams.ts'
export { NodeAttributes } from './nodeAttributes.ts'
export * from './onnx/index.ts'
export * as op from './ops/all.ts'
export type { Integers, Operand } from './ops/apply.ts'
export { EMITTED_OPERATORS, type EmittedOperator, type RuleTable } from './ops/emitted.ts'
export * from './passes/index.ts'
export { holding, reads, subgraphs } from './passes/walk.ts'
export * from './quantize/index.ts'
export {
  MASK_COUNTER,
  type Parameter,
  parametersOf,
  ROLE_KEY,
  type Role,
  roleOf,
  UPDATES_KEY,
  updatesOf,
} from './roles.ts'
export * from './types.ts'
