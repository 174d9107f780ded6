export { card, cards, defaultImageModel, defaultTextModel } from './cards.ts'
export type { Repository, RepositoryOptions } from './hub/repository.ts'
export { type HubSettings, hubSettings } from './hub/settings.ts'
export { checkImagePreprocessing } from './imagePreprocessing.ts'
export {
  available,
  calibrated,
  open,
  openRepository,
  readSafetensors,
  tokenizerPath,
  writeSafetensors,
} from './onDemand.ts'
export { placeName } from './placeName.ts'
export type { Safetensors } from './safetensors.ts'
export { type ModelFiles, parseSource, resolveSource, type Source } from './sources.ts'
export type * from './types.ts'
