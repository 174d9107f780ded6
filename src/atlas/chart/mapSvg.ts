// A map as an SVG, drawn by Observable Plot.
import { encodeBase64, PipiloError, throwIfAborted } from '../../base/index.ts'
import { thumbnail } from '../../embed/index.ts'
import { groupColor, type LabelWish, placeLabels } from '../page/index.ts'
import type { Drawn, DrawOptions, EmbeddingMap } from '../types.ts'
import { viewOf } from '../viewOf.ts'
import { textWidth } from './textWidth.ts'

/** Items up to which texts and thumbnails are tried. */
const NAMED = 400

const PICTURE = 44
const FONT = 12
const LEGEND = 180
const ROW = 20
const TOP = 44
const BOTTOM = 30

/** Longest text and name of a group that are written. */
const LONGEST = 32

const INK = '#1c2128'
const FAINT = '#5b6470'

interface Mark {
  readonly x: number
  readonly y: number
  readonly text: string
  readonly color: string
}

/** See `mapSvg` in ../onDemand.ts. */
export async function mapSvg(
  map: EmbeddingMap,
  options: DrawOptions = {},
): Promise<Drawn & { readonly svg: string }> {
  const { title = 'Map of embeddings', width = 960, height = 720 } = options
  checkSize({ width, height })
  const { items, groups, views } = map
  const view = views[viewOf(map, options)]!
  const hasLegend = groups.kind === 'label' && groups.names.length > 1
  const right = width - (hasLegend ? Math.min(LEGEND, width / 3) : 0)
  const places = pixelsOf(view.points, { left: 0, top: TOP, right, bottom: height - BOTTOM })
  const radius = items.length <= 100 ? 4.5 : items.length <= 1000 ? 3 : items.length <= 10_000 ? 2 : 1.2
  const colors = groups.names.map((_, i) => groupColor(i))
  const dots = items.map(({ id, text }, i) => ({
    x: places[2 * i]!,
    y: places[2 * i + 1]!,
    color: colors[groups.of[i]!]!,
    title: clean(text ?? id),
  }))
  const isNamed = items.length <= NAMED
  const pictures = isNamed ? await picturesOf(map, options) : { urls: new Map<number, string>(), without: 0 }
  const named = isNamed
    ? items.map(({ id, text }, i) => ({ index: i, text: shortened(text ?? id), url: pictures.urls.get(i) }))
    : []
  // Pictures need the most room.
  named.sort((a, b) => Number(b.url !== undefined) - Number(a.url !== undefined))
  const found = placeLabels(
    named.map(({ index, text, url }): LabelWish => {
      const [x, y] = [places[2 * index]!, places[2 * index + 1]!]
      return url === undefined
        ? { x, y, width: textWidth(text, FONT) + 4, height: FONT + 3, at: 'beside', gap: radius + 3 }
        : { x, y, width: PICTURE + 4, height: PICTURE + 4, at: 'center' }
    }),
    { left: 2, top: TOP - 8, right: right - 2, bottom: height - BOTTOM + 6 },
    places,
    radius,
  )
  const texts: Mark[] = []
  const thumbnails: { x: number; y: number; url: string }[] = []
  for (const { index, x, y } of found) {
    const { text, url } = named[index]!
    if (url === undefined) texts.push({ x: x + 2, y: y + (FONT + 3) / 2, text, color: INK })
    else thumbnails.push({ x: x + PICTURE / 2 + 2, y: y + PICTURE / 2 + 2, url })
  }
  const over = isNamed ? [] : groupNames(map, places, colors, right, height)
  const svg = await drawn(
    { width, height, radius, opacity: items.length > 1000 ? 0.7 : 0.9 },
    {
      dots,
      thumbnails,
      texts,
      names: over,
      legend: hasLegend ? legendOf(map, colors, right, height) : [],
      title: shortened(title, Math.floor(width / 9)),
      caption: captionOf(map, view, named.length - found.length),
    },
  )
  return { svg, withoutThumbnail: pictures.without }
}

function checkSize(sizes: Readonly<Record<'width' | 'height', number>>): void {
  for (const [name, size] of Object.entries(sizes)) {
    if (Number.isInteger(size) && size >= 200 && size <= 10_000) continue
    throw new PipiloError('OPTION_INVALID', `${name} is ${size}; it is a whole number from 200 to 10,000.`, {
      input: name,
    })
  }
}

/** Places in pixels: the map fills the frame as far as both of its sides allow. */
function pixelsOf(
  points: Float32Array,
  frame: { readonly left: number; readonly top: number; readonly right: number; readonly bottom: number },
): Float32Array {
  const margin = 56
  const [width, height] = [frame.right - frame.left - 2 * margin, frame.bottom - frame.top - margin / 2]
  let [wide, high] = [0, 0]
  for (let i = 0; i < points.length; i += 2) {
    wide = Math.max(wide, Math.abs(points[i]!))
    high = Math.max(high, Math.abs(points[i + 1]!))
  }
  const scale = Math.min(width / 2 / (wide || 1), height / 2 / (high || 1))
  const [x, y] = [(frame.left + frame.right) / 2, (frame.top + frame.bottom) / 2]
  return points.map((value, i) => (i % 2 === 0 ? x + value * scale : y - value * scale))
}

async function picturesOf(
  { items }: EmbeddingMap,
  { signal }: DrawOptions,
): Promise<{ urls: Map<number, string>; without: number }> {
  const urls = new Map<number, string>()
  let without = 0
  for (const [i, { id, picture }] of items.entries()) {
    if (picture === undefined) continue
    throwIfAborted(signal)
    try {
      const bytes = await thumbnail(picture, 2 * PICTURE, {
        format: 'jpeg',
        label: id,
        ...(signal && { signal }),
      })
      urls.set(i, `data:image/jpeg;base64,${encodeBase64(bytes)}`)
    } catch (error) {
      if (!(error instanceof PipiloError) || error.code === 'ABORTED') throw error
      without++
    }
  }
  return { urls, without }
}

/** Names of groups at the middles of their points. */
function groupNames(
  { groups }: EmbeddingMap,
  places: Float32Array,
  colors: readonly string[],
  right: number,
  height: number,
): Mark[] {
  const members = groups.names.map((): number[] => [])
  for (const [i, group] of groups.of.entries()) members[group]!.push(i)
  const median = (indices: readonly number[], axis: 0 | 1) =>
    indices.map((i) => places[2 * i + axis]!).sort((a, b) => a - b)[indices.length >> 1]!
  const wishes = groups.names.map((name, group) => ({
    text: shortened(name),
    x: median(members[group]!, 0),
    y: median(members[group]!, 1),
    color: colors[group]!,
    size: members[group]!.length,
  }))
  wishes.sort((a, b) => b.size - a.size)
  const found = placeLabels(
    wishes.map(({ x, y, text }) => ({
      x,
      y,
      width: textWidth(text, 14) + 8,
      height: 20,
      at: 'center' as const,
    })),
    { left: 2, top: TOP - 8, right: right - 2, bottom: height - BOTTOM + 6 },
  )
  return found.map(({ index }) => wishes[index]!)
}

function legendOf({ groups }: EmbeddingMap, colors: readonly string[], left: number, height: number): Mark[] {
  const counts = new Uint32Array(groups.names.length)
  for (const group of groups.of) counts[group]!++
  const room = Math.max(1, Math.floor((height - TOP - BOTTOM) / ROW) - 1)
  const at = (i: number) => ({ x: left + 14, y: TOP + ROW * i + ROW / 2 })
  const rows = groups.names
    .slice(0, room)
    .map((name, i) => ({ ...at(i), text: `${shortened(name, 18)} · ${counts[i]}`, color: colors[i]! }))
  const more = groups.names.length - room
  return more > 0 ? [...rows, { ...at(room), text: `and ${more} more`, color: 'none' }] : rows
}

function captionOf(
  { items, skipped }: EmbeddingMap,
  { name, method }: EmbeddingMap['views'][number],
  without: number,
): string {
  const called = { umap: 'UMAP', tsne: 't-SNE', pca: 'PCA' }[method]
  return [
    `${items.length.toLocaleString('en')} points by ${clean(name)}, placed by ${called}`,
    ...(without > 0 ? [`${without} ${without === 1 ? 'name' : 'names'} without room`] : []),
    ...(skipped.length > 0 ? [`${skipped.length} left out without a vector`] : []),
  ].join(' · ')
}

/** The part of an element that is used; types of pages are not known here. */
interface SvgElement {
  readonly outerHTML: string
  setAttribute(name: string, value: string): void
  querySelectorAll(selector: string): Iterable<{ remove(): void }>
}

interface Marks {
  readonly dots: readonly {
    readonly x: number
    readonly y: number
    readonly color: string
    readonly title: string
  }[]
  readonly thumbnails: readonly { readonly x: number; readonly y: number; readonly url: string }[]
  readonly texts: readonly Mark[]
  readonly names: readonly Mark[]
  readonly legend: readonly Mark[]
  readonly title: string
  readonly caption: string
}

async function drawn(
  { width, height, radius, opacity }: { width: number; height: number; radius: number; opacity: number },
  { dots, thumbnails, texts, names, legend, title, caption }: Marks,
): Promise<string> {
  const [{ plot, dot, image, text, frame }, { parseHTML }] = await Promise.all([
    import('@observablehq/plot'),
    import('linkedom'),
  ])
  const { document } = parseHTML('<!doctype html><body></body>')
  const halo = { stroke: '#ffffff', strokeWidth: 3, textAnchor: 'start' as const }
  const written = { x: 'x', y: 'y', text: 'text' } as const
  const made = plot({
    // biome-ignore lint/suspicious/noExplicitAny: types of pages are not known here
    document: document as any,
    width,
    height,
    margin: 0,
    axis: null,
    // Places are pixels, and colours are colours.
    x: { domain: [0, width], range: [0, width] },
    y: { domain: [0, height], range: [0, height] },
    color: { type: 'identity' },
    marks: [
      frame({ fill: '#ffffff', stroke: 'none' }),
      dot(dots, { x: 'x', y: 'y', r: radius, fill: 'color', fillOpacity: opacity, title: 'title' }),
      image(thumbnails, { x: 'x', y: 'y', src: 'url', width: PICTURE }),
      text(texts, { ...written, ...halo, fill: INK, fontSize: FONT }),
      text(names, { ...written, ...halo, textAnchor: 'middle', fill: INK, fontSize: 14, fontWeight: 600 }),
      dot(legend, { x: 'x', y: 'y', r: 5, fill: 'color' }),
      text(legend, { ...written, dx: 12, textAnchor: 'start', fill: INK, fontSize: FONT }),
      text([{ x: 14, y: 22, text: title }], {
        ...written,
        textAnchor: 'start',
        fill: INK,
        fontSize: 16,
        fontWeight: 600,
      }),
      text([{ x: 14, y: height - 12, text: caption }], {
        ...written,
        textAnchor: 'start',
        fill: FAINT,
        fontSize: 11,
      }),
    ],
  }) as unknown as SvgElement
  // A file of its own: with the name of its language, and without the style that only pages understand.
  made.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  made.setAttribute('font-family', 'system-ui, -apple-system, Helvetica, Arial, sans-serif')
  for (const style of made.querySelectorAll('style')) style.remove()
  return `${made.outerHTML}\n`
}

const shortened = (text: string, longest = LONGEST): string => {
  const line = clean(text)
  return line.length > longest ? `${line.slice(0, longest - 1).trimEnd()}…` : line
}

/** A text in one line, without the letters that XML does not have. */
function clean(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Surrogate}\ufffe\uffff]+/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim()
}
