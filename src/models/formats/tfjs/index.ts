// Door of tfjs/: graph models and layers models of TensorFlow.js.
export * from './graphModel.ts'
export * from './layersModel.ts'
export { type ModelJson, readModelJson } from './modelJson.ts'
