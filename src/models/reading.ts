import type { TwoTowerParts } from './towers.ts'
import type { Card, OpenOptions } from './types.ts'

/** What a model's files say of its use; a built-in card or the caller may know better. */
export type FoundCard = Omit<Card, 'name' | 'source'>

/** What was read from a model's files. */
export type Reading = Omit<TwoTowerParts, 'card'> & { readonly card: FoundCard }

/** What the caller says about the reading of a model's files. */
export type ReadOptions = Pick<OpenOptions, 'card' | 'strict' | 'architecture' | 'size'>
