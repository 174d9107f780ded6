// Checks the names and kinds in what a caller says of a model's card.
import { closest, PipiloError } from '../../base/index.ts'
import type { Card, CardOverrides, ImagePreprocessing, TextPreprocessing } from '../types.ts'

/** What a setting may be: a test, and its words. */
type Kind = readonly [isRight: (value: unknown) => boolean, words: string]

const text: Kind = [(value) => typeof value === 'string', 'a text']
const yes: Kind = [(value) => typeof value === 'boolean', 'true or false']
const number: Kind = [Number.isFinite, 'a number']
const count: Kind = [(value) => isCount(value, 0), 'a whole number from 0']
const positive: Kind = [(value) => isCount(value, 1), 'a whole number from 1']
const oneOf = (...known: readonly string[]): Kind => [
  (value) => known.includes(value as string),
  known.join(', '),
]
const held = (check: (value: object) => boolean, words: string): Kind => [
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value) && check(value),
  words,
]
/** Checked apart, or not at all. */
const anything: Kind = [() => true, '']

const isCount = (value: unknown, least: number) => Number.isSafeInteger(value) && (value as number) >= least

const cardKinds = {
  name: text,
  description: text,
  modality: oneOf('text', 'image', 'text-image', 'tensor'),
  source: text,
  licence: text,
  tap: text,
  penultimate: text,
  pool: oneOf('cls', 'mean', 'max', 'last', 'none', 'flatten'),
  normalize: yes,
  dimensions: count,
  text: anything,
  image: anything,
  featureAxis: [Number.isSafeInteger, 'a whole number'],
  together: oneOf('any', 'tried', 'equal', 'none'),
  logitScale: number,
  logitBias: number,
  duplicates: held((value) => 'threshold' in value && Number.isFinite(value.threshold), '{ threshold, tap }'),
  notes: text,
} as const satisfies Readonly<Record<keyof Card, Kind>>

const textKinds = {
  maxLength: positive,
  prompts: held((value) => Object.values(value).every((each) => typeof each === 'string'), 'texts by name'),
  defaultPrompt: text,
  lowercase: yes,
  clean: oneOf('siglip', 'canonicalize'),
  specialTokens: yes,
  dropUnknown: yes,
  padding: held((value) => 'length' in value && isCount(value.length, 1), '{ length, token }'),
  positions: count,
  vocabulary: count,
} as const satisfies Readonly<Record<keyof TextPreprocessing, Kind>>

/** Their values are checked by `checkImagePreprocessing`. */
const imageKinds = {
  size: anything,
  crop: anything,
  cropRatio: anything,
  resize: anything,
  interpolation: anything,
  channels: anything,
  order: anything,
  mean: anything,
  std: anything,
  background: anything,
} as const satisfies Readonly<Record<keyof ImagePreprocessing, Kind>>

/**
 * Refuses settings that a card does not have, as they would be passed over in silence, and values of another kind.
 *
 * @throws PipiloError `OPTION_INVALID` with the closest
 */
export function checkCardOverrides(overrides: CardOverrides): void {
  check(overrides, cardKinds, 'card')
  if (overrides.image !== undefined) check(overrides.image, imageKinds, "card's image")
  if (overrides.text !== undefined) check(overrides.text, textKinds, "card's text")
  if (overrides.text && overrides.text.maxLength === undefined)
    throw wrong("card's text", 'maxLength', undefined, positive)
}

function check(given: unknown, known: Readonly<Record<string, Kind>>, label: string): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new PipiloError(
      'OPTION_INVALID',
      `The ${label} is ${JSON.stringify(given)?.slice(0, 200)}, not an object.`,
      {
        input: 'card',
      },
    )
  }
  for (const [name, value] of Object.entries(given)) {
    const kind = Object.hasOwn(known, name) ? known[name]! : undefined
    if (!kind) throw unknown(name, known, label)
    if (value !== undefined && !kind[0](value)) throw wrong(label, name, value, kind)
  }
}

function wrong(label: string, name: string, value: unknown, [, words]: Kind): PipiloError {
  const said = JSON.stringify(value)?.slice(0, 200) ?? 'missing'
  return new PipiloError('OPTION_INVALID', `The ${name} of the ${label} is ${said}; it has to be ${words}.`, {
    input: name,
  })
}

function unknown(name: string, known: Readonly<Record<string, Kind>>, label: string): PipiloError {
  const near = closest(name, Object.keys(known))
  return new PipiloError('OPTION_INVALID', `A ${label} has no ${name}.`, {
    input: name,
    hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : `It has ${Object.keys(known).join(', ')}.`,
  })
}
