// Types of a reading: the parts of a model and the card found in its files.
import type { Mode } from '../../nn/index.ts'
import type { Checkpoint } from '../formats/checkpoint.ts'
import type { TwoTowerParts } from '../model/joinTowers.ts'
import type { Card, Model, OpenOptions } from '../types.ts'
import type { Modules } from './modules.ts'

/** Card from a model's files; a built-in card or the caller may know better. */
export type FoundCard = Omit<Card, 'name' | 'source'>

/** Parts of a model as read from its files. */
export type FoundModel = Omit<TwoTowerParts, 'card' | 'opened'> & {
  readonly card: FoundCard
  /** Of one that was built from a checkpoint: what was chosen among the networks in it, in a sentence, or `''`. */
  readonly weights?: string
}

/** Contents of a folder that several ways of reading look at, read once. */
export interface FolderContents {
  /** Content of `modules.json`, where there is one. */
  readonly modules: Modules | undefined
  /** A checkpoint of the folder; asked again, the same. */
  readonly readTensors: (path: string) => Promise<Checkpoint>
}

/** Options of the caller for the reading of a model's files. */
export type ReadOptions = Pick<
  OpenOptions,
  'card' | 'strict' | 'architecture' | 'prefix' | 'modality' | 'dtype'
> & {
  /** Height and width of pictures that the caller asks for. */
  readonly size?: readonly [height: number, width: number]
  /** Form in which architectures that are built here are built. Default `inference`. */
  readonly mode?: Mode
  /** Opens a model that another one names as its part. Default: such models are refused. */
  readonly openOther?: (name: string) => Promise<Model>
}
