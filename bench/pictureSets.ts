// Pictures by which layers of picture models are chosen: emoji by several artists, and views of photographs.
import { readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import sharp from 'sharp'

/** Sets of emoji that are measured, each in another artist's hand. */
export const SETS = ['noto', 'twemoji', 'openmoji']

const require = createRequire(import.meta.url)

interface IconSet {
  readonly icons: Readonly<Record<string, { body: string; width?: number; height?: number }>>
  readonly width?: number
  readonly height?: number
}

export const iconSet = (set: string): IconSet => require(`@iconify-json/${set}/icons.json`) as IconSet

/** So many of the names that all sets share, spread evenly. */
export function sharedEmoji(count: number): string[] {
  const sets = SETS.map((set) => iconSet(set).icons)
  const shared = Object.keys(sets[0]!)
    .filter((emoji) => sets.every((icons) => emoji in icons) && !/skin-tone|^flag-|keycap/.test(emoji))
    .sort()
  return Array.from({ length: count }, (_, i) => shared[Math.floor((i * shared.length) / count)]!)
}

/** An emoji as an SVG of so many pixels a side. */
export function drawing(set: string, emoji: string, side: number): Buffer {
  const { icons, width = 16, height = 16 } = iconSet(set)
  const { body, width: w = width, height: h = height } = icons[emoji]!
  return Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 ${w} ${h}" width="${side}" height="${side}">${body}</svg>`,
  )
}

export const samples = new URL('../samples/pictures/', import.meta.url)

/** The sample photographs, the first of each subject only. */
export async function firstPhotographs(): Promise<Buffer[]> {
  const files = (await readdir(samples)).filter((file) => file.endsWith('.jpg')).sort()
  const first = files.filter((file) => !/-(2|close|face|cup|peaks)\.jpg$/.test(file))
  return Promise.all(first.map((file) => readFile(new URL(file, samples))))
}

/** Views of a photograph: crop, rotation, flip, brightness, saturation, blur, JPEG. @param between gives random numbers */
export async function viewsOf(
  photograph: Buffer,
  between: (low: number, high: number) => number,
  count: number,
): Promise<Buffer[]> {
  const { width, height } = await sharp(photograph).metadata()
  const views: Buffer[] = []
  for (let view = 0; view < count; view++) {
    const side = Math.sqrt(between(0.2, 0.6))
    const [w, h] = [Math.floor(width * side), Math.floor(height * side)]
    const region = {
      left: Math.floor(between(0, width - w)),
      top: Math.floor(between(0, height - h)),
      width: w,
      height: h,
    }
    const crop = await sharp(photograph).extract(region).toBuffer()
    const turned = sharp(crop)
      .flop(between(0, 1) < 0.5)
      .rotate(between(-25, 25), { background: 'white' })
      .modulate({ brightness: between(0.6, 1.5), saturation: between(0.4, 1.5) })
      .blur(between(0.3, 1.5))
      .jpeg({ quality: Math.round(between(25, 80)) })
    views.push(await turned.toBuffer())
  }
  return views
}

/** Bytes [side, side, 3] on white, whatever the aspect ratio. */
export const decoded = (picture: Buffer, side: number): Promise<Buffer> =>
  sharp(picture)
    .flatten({ background: 'white' })
    .resize(side, side, { fit: 'fill' })
    .toColourspace('srgb')
    .removeAlpha()
    .raw()
    .toBuffer()

export const normalised = (row: Float32Array): Float32Array => {
  const length = Math.hypot(...row) || 1
  return row.map((x) => x / length)
}
