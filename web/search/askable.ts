// Collections and what they can be asked: a query that one cannot answer is not sent to it.
import type { Field, Listed, Query } from './api.ts'
import type { State } from './state.ts'

/** True of a collection that pictures are looked for in. */
export const seesPictures = ({ modality }: Listed): boolean =>
  modality === 'image' || modality === 'text-image'

/** Why a collection cannot be asked by words or by a picture, in one line; undefined where it can. */
export function unfit({ modality }: Listed, query: Query): string | undefined {
  const kind = 'text' in query ? 'text' : 'image' in query ? 'image' : undefined
  if (kind === undefined || modality === kind || modality === 'text-image') return undefined
  if (modality === 'image')
    return 'Its model embeds pictures and reads no words: drop a picture to search here.'
  if (modality === 'text') return 'Its model embeds texts and sees no pictures: type words to search here.'
  return 'It holds vectors of your own, which no words and no picture can be compared with.'
}

/** True where the settings name fields, of which a collection may lack some. */
export const namesFields = ({ where, hybrid, single }: State): boolean => hybrid || single || where.length > 0

/** Why a collection with such fields cannot be searched with these settings; undefined where it can. */
export function lacking(fields: readonly Field[], query: Query, state: State): string | undefined {
  const has = (name: string, type?: Field['types'][number]) =>
    fields.some((field) => field.name === name && (type === undefined || field.types.includes(type)))
  if (state.hybrid && 'text' in query && !has('text', 'string'))
    return 'It has no texts to look for words in: leave out “Also the words themselves”.'
  if (state.single && !has('path')) return 'Its rows are of no files: leave out “One hit a file”.'
  const missing = state.where.find(({ field }) => !has(field))
  return missing && `None of its rows has the field “${missing.field}”.`
}
