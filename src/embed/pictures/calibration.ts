// Opens a model in int8, calibrated on the caller's pictures.
import { canonicalJson, PipiloError } from '../../base/index.ts'
import { inPrecision, type Model, open, openOptionsOf } from '../../models/index.ts'
import type { EmbedderOptions } from '../types.ts'
import { decodeImage } from './image.ts'

/** The model that the options ask for; with `calibration`, in int8 with the ranges that those pictures show. */
export async function openModel(model: string | Model, options: EmbedderOptions): Promise<Model> {
  const { calibration } = options
  if (typeof model !== 'string') checkOpened(model, options)
  if (calibration === undefined) {
    if (typeof model === 'string') return open(model, openOptionsOf(options))
    return options.dtype === undefined ? model : inPrecision(model, options.dtype)
  }
  if (options.dtype !== 'int8') {
    throw new PipiloError('OPTION_INVALID', 'Pictures calibrate a model that is opened in int8.', {
      input: 'calibration',
      hint: "Add dtype: 'int8'.",
    })
  }
  if (!Array.isArray(calibration) || calibration.length === 0) {
    throw new PipiloError('OPTION_INVALID', 'calibration takes an array of pictures, at least one.', {
      input: 'calibration',
      hint: 'A few dozen typical ones do best; without the option, Pipilo makes its own.',
    })
  }
  const exact =
    typeof model === 'string' ? await open(model, { ...openOptionsOf(options), dtype: 'fp32' }) : model
  const { image } = exact.card
  if (!image) {
    throw new PipiloError('OPTION_INVALID', `${exact.name} takes no pictures, and needs no calibration.`, {
      input: 'calibration',
      hint: 'Leave the option away: products in int8 need no data.',
    })
  }
  const { maxPixels } = options
  const pictures = await Promise.all(
    calibration.map((picture, i) =>
      decodeImage(picture, image, { label: `calibration picture ${i}`, ...(maxPixels && { maxPixels }) }),
    ),
  )
  return inPrecision(
    exact,
    'int8',
    pictures.map(({ data }) => data),
  )
}

/** Refuses options of opening that say otherwise than a model was opened. */
function checkOpened({ name, opened, card }: Model, options: EmbedderOptions): void {
  const has = {
    strict: true,
    size: card.image?.size,
    revision: undefined,
    card: undefined,
    architecture: undefined,
    prefix: undefined,
    ...opened,
  }
  for (const option of ['revision', 'card', 'strict', 'architecture', 'prefix', 'size'] as const) {
    const given = options[option]
    const wanted = option === 'size' && typeof given === 'number' ? [given, given] : given
    if (wanted === undefined || canonicalJson(wanted) === canonicalJson(has[option])) continue
    throw new PipiloError(
      'OPTION_INVALID',
      `${name} is open already, with another ${option} than is asked for.`,
      {
        input: option,
        hint: `Give ${option} to open().`,
      },
    )
  }
}
