// Drawing of the shares of pixels over a picture.
import { PipiloError } from '../../base/index.ts'
import type { RawImage } from '../../embed/index.ts'
import { blur } from './blur.ts'
import type { ImageAttribution } from './types.ts'

/** Options of `heatMap`. */
export interface HeatMapOptions {
  /** Sigma of the Gaussian by which shares are smoothed, in pixels. Default: a 64th of the width. */
  readonly smooth?: number
  /** The (smoothed) share that has the full colour. Default: the largest, of either sign. */
  readonly limit?: number
  /** Share of the colour where it is full, 0 to 1. Default 0.85. */
  readonly strength?: number
  /** A bar below, from minus to plus the limit. Default `false`. */
  readonly legend?: boolean
}

type Colour = readonly [red: number, green: number, blue: number]

/** Ends of the scale blue, white, red, as in ColorBrewer's RdBu. */
const BLUE: Colour = [33, 102, 172]
const RED: Colour = [178, 24, 43]
const WHITE: Colour = [255, 255, 255]

/** Height of the legend, as a share of the picture's. */
const LEGEND = 1 / 16

/** See `heatMap` in onDemand.ts. */
export function drawHeatMap(
  attribution: ImageAttribution,
  picture: RawImage,
  options: HeatMapOptions,
): RawImage {
  const { width, height } = checkSizes(attribution, picture)
  const { smooth = width / 64, strength = 0.85, legend = false } = checkOptions(options)
  const values = blur(attribution.values, { width, height }, smooth)
  const limit = options.limit ?? values.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  const bar = legend ? Math.max(4, Math.round(height * LEGEND)) : 0
  const data = new Uint8Array(width * (height + bar) * 3)
  for (let i = 0; i < width * height; i++) {
    const share = limit === 0 ? 0 : values[i]! / limit
    data.set(painted(grey(picture, i), share, strength), i * 3)
  }
  for (let i = width * height; i < width * (height + bar); i++) {
    const place = width > 1 ? (2 * (i % width)) / (width - 1) - 1 : 0
    data.set(painted(WHITE, place, strength), i * 3)
  }
  return { width, height: height + bar, channels: 3, data }
}

/** A colour of the picture with that of a share of -1 to 1 over it. */
function painted(below: Colour, share: number, strength: number): Colour {
  const over = share < 0 ? BLUE : RED
  const opacity = strength * Math.min(1, Math.abs(share))
  const mixed = (channel: 0 | 1 | 2) =>
    Math.round(below[channel] + opacity * (over[channel] - below[channel]))
  return [mixed(0), mixed(1), mixed(2)]
}

/** A pixel in grey (ITU-R BT.601), half as dark as it is, so that colours show. */
function grey({ channels, data }: RawImage, pixel: number): Colour {
  const at = pixel * channels
  const [red, green, blue] = channels < 3 ? [at, at, at] : [at, at + 1, at + 2]
  const luma = 0.299 * data[red]! + 0.587 * data[green]! + 0.114 * data[blue]!
  const light = 255 - (255 - luma) / 2
  return [light, light, light]
}

function checkSizes(attribution: ImageAttribution, picture: RawImage): { width: number; height: number } {
  const { kind, width, height }: { kind: string; width: number; height: number } = attribution
  if (kind !== 'image') {
    throw new PipiloError('INPUT_INVALID', 'A heat map is drawn of the attribution of a picture.', {
      hint: 'Texts are coloured by colorTokens.',
    })
  }
  if (picture.width === width && picture.height === height) return { width, height }
  throw new PipiloError(
    'SHAPE_MISMATCH',
    `The picture is ${picture.width} × ${picture.height}, and the attribution is of ${width} × ${height} pixels.`,
    { hint: 'Leave it out: the attribution has the picture as the model saw it.' },
  )
}

function checkOptions(options: HeatMapOptions): HeatMapOptions {
  const { smooth = 0, limit = 1, strength = 1 } = options
  const wrong = !(Number.isFinite(smooth) && smooth >= 0)
    ? ['smooth', 'a number of pixels from 0']
    : !(Number.isFinite(limit) && limit > 0)
      ? ['limit', 'a number above 0']
      : !(strength >= 0 && strength <= 1)
        ? ['strength', 'a number from 0 to 1']
        : undefined
  if (!wrong) return options
  const [name = '', wanted] = wrong
  throw new PipiloError('OPTION_INVALID', `${name} has to be ${wanted}.`, { input: name })
}
