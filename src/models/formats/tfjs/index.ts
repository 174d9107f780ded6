export * from './graphModel.ts'
export * from './layersModel.ts'
export { type ModelJson, readModelJson } from './modelJson.ts'
