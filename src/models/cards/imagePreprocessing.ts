// Checks the preprocessing of pictures that a card or a caller gives.
import { PipiloError } from '../../base/index.ts'
import type { ImagePreprocessing } from '../types.ts'

/** Height × width of what a model sees, 4,096²: a file that claims more decides how much memory a picture takes. */
export const MOST_PIXELS = 2 ** 24

const crops: readonly unknown[] = ['squash', 'center', 'border']
const interpolations: readonly unknown[] = ['bilinear', 'bicubic', 'nearest', 'lanczos', 'box', 'hamming']

/**
 * Refuses a preparation of pictures that cannot be followed: it may come from a user's card.
 *
 * @throws PipiloError `OPTION_INVALID`, naming the setting
 */
export function checkImagePreprocessing(image: ImagePreprocessing): void {
  const { size, crop, cropRatio = 1, resize, interpolation, channels = 3, mean, std, background } = image
  const { order = 'rgb' } = image
  const check = (name: keyof ImagePreprocessing, isRight: boolean, what: string) => {
    if (isRight) return
    const value = JSON.stringify(image[name])
    throw new PipiloError(
      'OPTION_INVALID',
      `The ${name} of the card's image is ${value}; it has to be ${what}.`,
      {
        input: name,
      },
    )
  }
  const isSide = (side: unknown) => Number.isSafeInteger(side) && (side as number) > 0
  const are = (value: unknown, count: number, each: (entry: unknown) => boolean) =>
    Array.isArray(value) && value.length === count && value.every(each)
  const isLevel = (value: unknown) =>
    Number.isFinite(value) && (value as number) >= 0 && (value as number) <= 255
  const isSmall = (sides: readonly number[]) => sides.reduce((area, side) => area * side, 1) <= MOST_PIXELS
  check(
    'size',
    are(size, 2, isSide) && isSmall(size),
    `[height, width] in pixels, no more than ${MOST_PIXELS} of them`,
  )
  check('crop', crops.includes(crop), crops.join(', '))
  check('cropRatio', cropRatio > 0 && cropRatio <= 1, 'more than 0 and at most 1')
  check(
    'cropRatio',
    isSmall(size.map((side) => side / cropRatio)),
    'larger: the picture would be enlarged beyond all bounds',
  )
  check(
    'resize',
    resize === undefined ||
      (isSide(resize) && isSmall([resize as number, resize as number])) ||
      (are(resize, 2, isSide) && isSmall(resize as readonly number[])),
    `a length, or [height, width], of no more than ${MOST_PIXELS} pixels`,
  )
  check('interpolation', interpolations.includes(interpolation), interpolations.join(', '))
  check('channels', channels === 1 || channels === 3, '1 (grey) or 3 (RGB)')
  check('order', order === 'rgb' || (order === 'bgr' && channels === 3), 'rgb, or bgr of three channels')
  const numbers = channels === 1 ? 'one number' : 'three numbers'
  check('mean', are(mean, channels, Number.isFinite), numbers)
  check(
    'std',
    are(std, channels, (value) => Number.isFinite(value) && value !== 0),
    `${numbers} other than 0`,
  )
  check('background', background === undefined || are(background, 3, isLevel), 'three numbers from 0 to 255')
}
