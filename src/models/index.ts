// Door of models/: opening models from any source and format, cards, the hub's settings.
export { card, cards, defaultImageModel, defaultTextModel } from './cards/cards.ts'
export { checkImagePreprocessing } from './cards/imagePreprocessing.ts'
export type { ModelFiles, OpenFile } from './files.ts'
export type { Safetensors } from './formats/safetensors.ts'
export {
  available,
  inPrecision,
  open,
  openRepository,
  readSafetensors,
  tokenizerPath,
  writeSafetensors,
} from './onDemand.ts'
export type { Repository, RepositoryOptions } from './sources/hub/repository.ts'
export { type HubSettings, hubSettings } from './sources/hub/settings.ts'
export { parseSource, resolveSource, type Source } from './sources/sources.ts'
export type * from './types.ts'
