// Finds the view of a map that was asked for.
import { PipiloError } from '../base/index.ts'
import type { DrawOptions, EmbeddingMap } from './types.ts'

/** Place of the view. @throws `OPTION_INVALID` */
export function viewOf({ views }: EmbeddingMap, { view }: DrawOptions): number {
  if (view === undefined) return 0
  const names = views.map(({ name }) => name)
  const place = names.indexOf(view)
  if (place >= 0) return place
  throw new PipiloError('OPTION_INVALID', `The map has no view ${JSON.stringify(view)}.`, {
    input: 'view',
    hint: `It has ${names.slice(0, 8).join('; ')}${names.length > 8 ? '; …' : ''}.`,
  })
}
