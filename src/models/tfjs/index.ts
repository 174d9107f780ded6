export * from './layersModel.ts'
