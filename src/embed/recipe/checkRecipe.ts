// Checks that something is a recipe, which people keep in files and edit by hand.
import { PipiloError } from '../../base/index.ts'

/** Height × width that a recipe's pictures have at most: as many as a picture that is decoded, 16,383². */
const MOST_PIXELS = 268_402_689

type Fields = Readonly<Record<string, unknown>>

/**
 * Refuses what is no recipe.
 *
 * @throws PipiloError `OPTION_INVALID`, with `recipe` as `input`
 */
export function checkRecipe(recipe: unknown): void {
  if (!isObject(recipe)) throw invalid('That is no recipe.')
  const { version, source, taps, image, inputs } = recipe
  if (version !== 1) {
    throw invalid(version === undefined ? 'That is no recipe.' : `The recipe is of version ${version}.`)
  }
  if (!isObject(source)) throw invalid('The recipe has no source.')
  if (typeof source['name'] !== 'string') throw invalid('The recipe has no name of a model in source.name.')
  if (typeof source['fingerprint'] !== 'string') throw invalid('The recipe has no source.fingerprint.')
  if (!Array.isArray(taps) || !taps.every((tap) => typeof tap === 'string')) {
    throw invalid('The recipe has no array of names in taps.')
  }
  if (source['size'] !== undefined) checkSize('source.size', source['size'])
  if (
    inputs !== undefined &&
    !(isObject(inputs) && Object.values(inputs).every((v) => typeof v === 'string'))
  )
    throw invalid('The recipe has something else than decimal numbers as strings in inputs.')
  if (image === undefined) return
  if (!isObject(image)) throw invalid('The recipe has something else than an object in image.')
  checkSize('image.size', image['size'])
}

function checkSize(name: string, size: unknown): void {
  const isSize =
    Array.isArray(size) && size.length === 2 && size.every((side) => Number.isSafeInteger(side) && side >= 1)
  if (!isSize) throw invalid(`The recipe's ${name} is not [height, width] in whole numbers from 1.`)
  const [height, width] = size
  if (height * width <= MOST_PIXELS) return
  throw invalid(`The recipe's ${name} is ${height} × ${width}, more than ${MOST_PIXELS} pixels.`)
}

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function invalid(message: string): PipiloError {
  return new PipiloError('OPTION_INVALID', message, {
    input: 'recipe',
    hint: 'Take what resolveRecipe gives, or the recipe of an embedder or a collection; later versions need a later Pipilo.',
  })
}
