// Plots of Observable Plot as SVG files that stand alone.
import type * as Library from '@observablehq/plot'

/** Observable Plot, loaded with the first plot. */
export type Plot = typeof Library

/** A plot of a known size. */
export type Drawing = Library.PlotOptions & { readonly width: number; readonly height: number }

/** Colours of lines, told apart by most eyes (Okabe and Ito's palette) on light and on dark ground. */
export const LINES = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00']

/** Ground and ink of light and of dark pages; the picture follows the viewer's choice. */
const STYLE = `
svg.pipilo { color: #24292f } .ground { fill: #ffffff }
@media (prefers-color-scheme: dark) { svg.pipilo { color: #dfe3e8 } .ground { fill: #16191d } }`

/** A line of the legend below a plot. */
export interface LegendLine {
  readonly color: string
  readonly text: string
}

/** One SVG of the marks that a function makes, with a title above and a legend below. */
export async function drawn(
  title: string,
  options: (plot: Plot) => Drawing,
  legend: readonly LegendLine[] = [],
): Promise<string> {
  const [plot, { parseHTML }] = await Promise.all([import('@observablehq/plot'), import('linkedom')])
  const { document } = parseHTML('<!doctype html><html><body></body></html>')
  const asked = options(plot)
  const svg = plot.plot({
    ...asked,
    document: document as never,
    className: 'pipilo',
    style: { fontFamily: 'system-ui, sans-serif', fontSize: '12px', background: 'none', overflow: 'visible' },
  })
  const { width, height } = asked
  const top = 30
  const whole = height + top + legend.length * LINE + (legend.length > 0 ? 16 : 0)
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  svg.setAttribute('role', 'img')
  svg.setAttribute('viewBox', `0 ${-top} ${width} ${whole}`)
  svg.setAttribute('height', `${whole}`)
  const make = (name: string, attributes: Readonly<Record<string, string | number>>, text = '') => {
    const element = document.createElementNS('http://www.w3.org/2000/svg', name)
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, `${value}`)
    element.textContent = text
    return element
  }
  const place = {
    x: 12,
    y: -10,
    fill: 'currentColor',
    'font-size': 14,
    'font-weight': 600,
    'text-anchor': 'start',
  }
  const titled = make('text', place, clipped(title, Math.floor(width / 8)))
  const ground = make('rect', { class: 'ground', x: 0, y: -top, width, height: whole })
  svg.prepend(make('title', {}, title), make('style', {}, STYLE), ground)
  svg.append(titled)
  for (const [i, { color, text }] of legend.entries()) {
    const y = height + 14 + i * LINE
    svg.append(make('rect', { x: 24, y, width: 18, height: 4, rx: 2, fill: color }))
    svg.append(make('text', { x: 50, y: y + 6, fill: 'currentColor', 'text-anchor': 'start' }, text))
  }
  return `${svg.outerHTML}\n`
}

/** Pixels from a line of the legend to the next. */
const LINE = 20

/** A text of so many characters at most. */
export function clipped(text: string, most: number): string {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length > most ? `${line.slice(0, Math.max(1, most - 1))}…` : line
}

/** Pixels that a text takes at 12 pixels a letter's height, about. */
export const widthOf = (text: string): number => 6.8 * text.length

/** Names that have room where each has so many pixels: every one, or every second, third, …. */
export function thinned<T>(names: readonly T[], pixels: number, least = 13): T[] {
  const step = Math.ceil(least / pixels)
  return names.filter((_, i) => i % step === 0)
}
