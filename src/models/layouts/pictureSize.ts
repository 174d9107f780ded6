// Checks the size of pictures that a caller asks for, and builds the network for it.
import { PipiloError } from '../../base/index.ts'
import type { BuiltModel } from '../../nn/index.ts'
import { MOST_PIXELS } from '../cards/imagePreprocessing.ts'

type Size = readonly [height: number, width: number]

/**
 * Refuses what is no height and width.
 *
 * @throws PipiloError `OPTION_INVALID`
 */
export function checkSize(size: unknown): void {
  if (size === undefined) return
  const isSize = Array.isArray(size) && size.length === 2
  if (isSize && size.every((side) => Number.isSafeInteger(side) && side > 0)) return
  throw new PipiloError('OPTION_INVALID', `The size of pictures is ${JSON.stringify(size)}.`, {
    input: 'size',
    hint: 'It is [height, width] in pixels, such as [224, 224], or one number for squares.',
  })
}

/**
 * Refuses a size that a model was not built for: a graph that was read as it is has its own, and one of texts has none.
 *
 * @param taken the size on the card of what was read
 * @throws PipiloError `OPTION_INVALID`
 */
export function refuseOtherSize(label: string, asked: Size | undefined, taken: Size | undefined): void {
  if (!asked || `${asked}` === `${taken}`) return
  const why = taken ? `it takes pictures of ${taken.join(' × ')}` : 'it takes no pictures of a fixed size'
  throw new PipiloError('OPTION_INVALID', `${label} is not built for other sizes; ${why}.`, {
    input: 'size',
    hint: 'Leave out size, or open a checkpoint (safetensors, PyTorch) of an image model, which is built for any.',
  })
}

/**
 * Builds for pictures of the size that was asked for, and says when it is the size that does not fit: too small for a network, or
 * with a border that no patch would look at.
 *
 * @param build for a size, or for the network's own
 * @param own what the model's files say
 * @param patchOf side of the patches that what was built cuts pictures into, where it does
 * @throws PipiloError `OPTION_INVALID`, and what `build` throws
 */
export function buildForSize(
  build: (size: Size | undefined) => BuiltModel,
  label: string,
  asked: Size | undefined,
  own: Size | undefined,
  patchOf: (built: BuiltModel) => number | undefined,
): BuiltModel {
  const refuse = (why: string, cause?: unknown): PipiloError =>
    new PipiloError('OPTION_INVALID', `${label} cannot take pictures of ${asked?.join(' × ')}: ${why}`, {
      input: 'size',
      hint: own ? `It was made for ${own.join(' × ')}.` : 'Choose a larger size.',
      cause,
    })
  for (const size of [asked, own]) {
    if (size !== undefined && !(size[0] * size[1] <= MOST_PIXELS))
      throw new PipiloError(
        'OPTION_INVALID',
        `${label} cannot be built for pictures of ${size.join(' × ')}.`,
        { input: 'size' },
      )
  }
  if (!asked) return build(own)
  const built = buildAsked()
  const patch = patchOf(built)
  const odd = patch !== undefined && asked.some((side) => side % patch !== 0)
  if (odd && `${asked}` !== `${own}`) throw refuse(`its patches are of ${patch} × ${patch}.`)
  return built

  function buildAsked(): BuiltModel {
    try {
      return build(asked)
    } catch (error) {
      if (error instanceof PipiloError && error.code === 'SHAPE_MISMATCH' && builds(() => build(own))) {
        throw refuse(error.message, error)
      }
      throw error
    }
  }
}

function builds(build: () => unknown): boolean {
  try {
    build()
    return true
  } catch {
    return false
  }
}
