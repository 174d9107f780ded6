// Checks the preprocessing of pictures that a card or a caller gives.
import { PipiloError } from '../../base/index.ts'
import type { ImagePreprocessing } from '../types.ts'

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
  check('size', are(size, 2, isSide), '[height, width] in pixels')
  check('crop', crops.includes(crop), crops.join(', '))
  check('cropRatio', cropRatio > 0 && cropRatio <= 1, 'more than 0 and at most 1')
  check(
    'resize',
    resize === undefined || isSide(resize) || are(resize, 2, isSide),
    'a length, or [height, width]',
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
