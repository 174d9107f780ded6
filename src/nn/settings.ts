/** Checks the values of an architecture's settings, which may come from a file. */
import { PipiloError } from '../base/index.ts'

/** Most layers, or blocks of a stage: the deepest networks have some hundreds. What a file claims does not decide how much is built. */
export const MOST_LAYERS = 1024
/** Largest of all other sizes: entries of a vocabulary, features, pixels. */
export const LARGEST_SIZE = 2 ** 24
/** Most entries of a list, such as the layers of each stage. */
const MOST_ENTRIES = 1024

/** Settings that say how often something is built. */
const counts = /layers$|^depths?$|^block_config$|depth_multiplier|_groups$|group_num$|^convolutions$/

/** True for a number that a setting of that name may have. */
export function isInBounds(name: string, value: number): boolean {
  return Number.isFinite(value) && Math.abs(value) <= (counts.test(name) ? MOST_LAYERS : LARGEST_SIZE)
}

/**
 * Refuses settings that are of another kind than in all `examples`, or beyond all bounds. Those of which there is no example are left alone.
 *
 * @param of the architecture, for errors
 * @throws PipiloError `OPTION_INVALID`
 */
export function checkSizes(of: string, settings: object, examples: readonly object[]): void {
  for (const [name, value] of Object.entries(settings)) {
    if (value === undefined) continue
    const seen = examples.flatMap((example) => {
      const found: unknown = (example as Record<string, unknown>)[name]
      return found === undefined ? [] : [found]
    })
    if (!isBounded(name, value)) throw invalid(of, name, value, [])
    if (seen.length > 0 && !isLike(name, value, seen)) throw invalid(of, name, value, seen)
  }
}

function isLike(name: string, value: unknown, seen: readonly unknown[]): boolean {
  const kinds = new Set(seen.map(kindOf))
  // `null` is timm's word for a setting that is not there, and numbers are counts unless some preset has a fraction.
  if (!kinds.has(kindOf(value))) return false
  if (!Array.isArray(value)) return typeof value !== 'number' || isNumberLike(name, value, seen)
  const entries = seen.filter(Array.isArray).flat()
  return entries.length === 0 || value.every((entry) => isLike(name, entry, entries))
}

function isNumberLike(name: string, value: number, seen: readonly unknown[]): boolean {
  const numbers = seen.filter((each) => typeof each === 'number')
  if (!isInBounds(name, value)) return false
  if (numbers.every((number) => number >= 0) && value < 0) return false
  if (numbers.every((number) => number >= 1) && value === 0 && !MAY_BE_NONE.test(name)) return false
  return !numbers.every(Number.isInteger) || Number.isInteger(value) || FRACTIONS.test(name)
}

/** Settings of which there may be none although presets happen to have some. */
const MAY_BE_NONE = /class|label|padding|layers?$|token|index|_id$|offset|rate|drop|decay|start|stride_?end/

/** Settings that are fractions although presets happen to have whole numbers. */
const FRACTIONS = /ratio|multiplier|factor|rate|eps|value|temperature|limit|momentum/

/** Pixels of the pictures that a network is built for: 4,096². */
const MOST_PIXELS = 2 ** 24

/** True of a height and width, or of one number for both, for which a network may be built. */
export function isPictureSize(size: unknown): boolean {
  const [height, width = height] = [size].flat() as unknown[]
  const isSide = (side: unknown): side is number => Number.isSafeInteger(side) && (side as number) > 0
  return isSide(height) && isSide(width) && height * width <= MOST_PIXELS
}

function isBounded(name: string, value: unknown): boolean {
  if (/^(?:img|input|image)_size$/.test(name)) return isPictureSize(value)
  if (typeof value === 'number') return isInBounds(name, value)
  if (!Array.isArray(value)) return true
  return value.length <= MOST_ENTRIES && value.every((entry) => isBounded(name, entry))
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'list' : typeof value
}

function invalid(of: string, name: string, value: unknown, seen: readonly unknown[]): PipiloError {
  const example = seen.length > 0 ? `, not one like ${inWords(seen[0])}` : ', which is beyond all bounds'
  return new PipiloError('OPTION_INVALID', `${of} has ${inWords(value)} as its ${name}${example}.`, {
    input: name,
    hint: 'Look at config.json, or the settings given.',
  })
}

/** A value, short, whatever it is. */
function inWords(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'object' && value !== null) return 'an object'
  return JSON.stringify(value)?.slice(0, 80) ?? String(value)
}
