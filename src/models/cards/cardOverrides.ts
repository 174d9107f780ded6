// Checks what a caller says of a model's card.
import { checkOption, is, type OptionTable, type OptionType, PipiloError } from '../../base/index.ts'
import type { Card, CardOverrides, ImagePreprocessing, TextPreprocessing } from '../types.ts'
import { crops, interpolations, modalities, poolings } from './choices.ts'

const levels = is.listOf(is.numeric(0, 255), 3, 3)
const perChannel = is.listOf(is.numeric(), 1, 3)
const side = is.count(1)

const image: OptionTable<ImagePreprocessing> = {
  size: is.listOf(side, 2, 2),
  crop: is.oneOf(crops),
  cropRatio: is.numeric(0, 1),
  resize: is.either(side, is.listOf(side, 2, 2)),
  interpolation: is.oneOf(interpolations),
  channels: is.oneOf([1, 3]),
  order: is.oneOf(['rgb', 'bgr']),
  mean: perChannel,
  std: perChannel,
  background: levels,
}

const text: OptionTable<TextPreprocessing> = {
  maxLength: is.count(1),
  prompts: is.recordOf(is.text),
  defaultPrompt: is.text,
  lowercase: is.flag,
  clean: is.oneOf(['siglip', 'canonicalize']),
  specialTokens: is.flag,
  dropUnknown: is.flag,
  padding: is.parts<NonNullable<TextPreprocessing['padding']>>({ length: is.count(1), token: is.text }),
  positions: is.count(0),
  vocabulary: is.count(1),
}

const card: OptionTable<Card> = {
  name: is.text,
  description: is.text,
  modality: is.oneOf(modalities),
  source: is.text,
  licence: is.text,
  tap: is.text,
  penultimate: is.name,
  pool: is.oneOf(poolings),
  normalize: is.flag,
  dimensions: is.count(0),
  text: is.parts(text),
  image: is.parts(image),
  featureAxis: is.count(-1),
  together: is.oneOf(['any', 'equal', 'none', 'tried']),
  logitScale: is.numeric(),
  logitBias: is.numeric(),
  duplicates: is.parts<NonNullable<Card['duplicates']>>({ threshold: is.numeric(-1, 1), tap: is.text }),
  notes: is.text,
}

/** The type of an option that overrides a card. */
export const cardOverrides: OptionType = is.parts(card)

/**
 * Refuses settings that a card does not have, or of another kind: they would be passed over in silence.
 *
 * @throws PipiloError `OPTION_INVALID` with the closest
 */
export function checkCardOverrides(overrides: CardOverrides): void {
  checkOption('card', overrides, cardOverrides)
  // The text of a card is replaced as a whole.
  if (!overrides.text || overrides.text.maxLength !== undefined) return
  throw new PipiloError('OPTION_INVALID', 'card.text says no maxLength.', {
    input: 'card',
    hint: 'Say all of it: card: { text: { maxLength: 512, prompts: { … } } }.',
  })
}
