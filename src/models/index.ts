// Door of models/: opening models from any source and format, cards, the hub's settings.

export { modalities, poolings } from './cards/choices.ts'
export { checkImagePreprocessing } from './cards/imagePreprocessing.ts'
export { asTensors } from './model/asTensors.ts'
export { available, findInPackage, inPrecision, openForTraining, withGraph } from './onDemand.ts'
export {
  checkModel,
  checkModelName,
  embeddingOptionsOf,
  openOptionsOf,
  openOptionTypes,
} from './openOptions.ts'
export * from './public.ts'
