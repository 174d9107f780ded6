export { rootOf } from './inputFiles.ts'
export { displayPath, type ReadInput, type ReadInputsOptions, readInputs } from './inputs.ts'
export * from './types.ts'
