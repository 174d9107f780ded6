// Door of `pipilo/models` for users: the room without what only embedders and the command line ask of it.
export { card, cards, defaultImageModel, defaultTextImageModel, defaultTextModel } from './cards/cards.ts'
export type { ModelFiles, OpenFile } from './files.ts'
export type { Safetensors } from './formats/safetensors.ts'
export {
  listTensors,
  open,
  openRepository,
  readLora,
  readSafetensors,
  tokenizerPath,
  writeLora,
  writeSafetensors,
} from './onDemand.ts'
export type { Repository, RepositoryOptions } from './sources/hub/repository.ts'
export { type HubSettings, hubSettings } from './sources/hub/settings.ts'
export { parseSource, resolveSource, type Source } from './sources/sources.ts'
export type * from './types.ts'
