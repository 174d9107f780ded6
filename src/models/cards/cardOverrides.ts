// Checks the names in what a caller says of a model's card.
import { closest, PipiloError } from '../../base/index.ts'
import type { Card, CardOverrides, ImagePreprocessing } from '../types.ts'

const cardNames = {
  name: true,
  description: true,
  modality: true,
  source: true,
  licence: true,
  tap: true,
  penultimate: true,
  pool: true,
  normalize: true,
  dimensions: true,
  text: true,
  image: true,
  featureAxis: true,
  together: true,
  logitScale: true,
  logitBias: true,
  duplicates: true,
  notes: true,
} as const satisfies Readonly<Record<keyof Card, true>>

const imageNames = {
  size: true,
  crop: true,
  cropRatio: true,
  resize: true,
  interpolation: true,
  channels: true,
  order: true,
  mean: true,
  std: true,
  background: true,
} as const satisfies Readonly<Record<keyof ImagePreprocessing, true>>

/**
 * Refuses settings that a card does not have: they would be passed over in silence.
 *
 * @throws PipiloError `OPTION_INVALID` with the closest
 */
export function checkCardOverrides(overrides: CardOverrides): void {
  check(overrides, cardNames, 'card')
  if (overrides.image !== undefined) check(overrides.image, imageNames, "card's image")
}

function check(given: unknown, known: Readonly<Record<string, true>>, label: string): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new PipiloError('OPTION_INVALID', `The ${label} is ${JSON.stringify(given)}, not an object.`, {
      input: 'card',
    })
  }
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(known, name))
  if (unknown === undefined) return
  const near = closest(unknown, Object.keys(known))
  throw new PipiloError('OPTION_INVALID', `A ${label} has no ${unknown}.`, {
    input: unknown,
    hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : `It has ${Object.keys(known).join(', ')}.`,
  })
}
