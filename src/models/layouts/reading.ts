import type { Checkpoint } from '../formats/checkpoint.ts'
import type { TwoTowerParts } from '../model/towers.ts'
import type { Card, OpenOptions } from '../types.ts'
import type { Modules } from './modules.ts'

/** What a model's files say of its use; a built-in card or the caller may know better. */
export type FoundCard = Omit<Card, 'name' | 'source'>

/** What was read from a model's files. */
export type Reading = Omit<TwoTowerParts, 'card' | 'opened'> & { readonly card: FoundCard }

/** What several ways of reading a folder look at, read once. */
export interface FolderContents {
  /** What `modules.json` says, where there is one. */
  readonly modules: Modules | undefined
  /** A checkpoint of the folder; asked again, the same. */
  readonly readTensors: (path: string) => Promise<Checkpoint>
}

/** What the caller says about the reading of a model's files. */
export type ReadOptions = Pick<OpenOptions, 'card' | 'strict' | 'architecture' | 'size'>
