// Door of models/: opening models from any source and format, cards, the hub's settings.

export { checkImagePreprocessing } from './cards/imagePreprocessing.ts'
export { available, embeddingModel, findInPackage, inPrecision, openForTraining } from './onDemand.ts'
export * from './public.ts'
