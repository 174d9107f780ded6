/** Curves of a run: one self-contained HTML page, or one SVG. */
import { escapeHtml } from '../../base/index.ts'
import type { EpochEvent } from '../options.ts'

/** A line of a plot. */
export interface Curve {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

const WIDTH = 640
const HEIGHT = 280
const MARGIN = { left: 64, right: 16, top: 28, bottom: 40 }
/** Told apart by most eyes (Okabe and Ito's palette), and readable on white. */
const COLORS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00']

/**
 * The page with a run's curves: losses, other metrics, and the learning rate, by epoch. It needs nothing from elsewhere.
 *
 * @example
 * ```ts
 * await writeFile('curves.html', curvesPage(history))
 * ```
 */
export function curvesPage(history: readonly EpochEvent[], title = 'Training'): string {
  const plots = plotsOf(history).map(
    ({ name, curves }) => `<h2>${escapeHtml(name)}</h2>\n${curvesSvg(curves, { xLabel: 'epoch' })}`,
  )
  const columns = [...new Set(history.flatMap(({ numbers }) => Object.keys(numbers)))]
  const rows = history.map(
    ({ epoch, numbers }) =>
      `<tr><td>${epoch}</td>${columns.map((name) => `<td>${short(numbers[name])}</td>`).join('')}</tr>`,
  )
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${escapeHtml(title)}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 720px; margin: 2rem auto; padding: 0 1rem; color: #222 }
h2 { font-size: 1rem; margin: 1.5rem 0 .25rem }
svg { max-width: 100%; height: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin-top: 1.5rem }
td, th { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #ddd }
</style>
<h1>${escapeHtml(title)}</h1>
${plots.join('\n')}
<table>
<tr><th>epoch</th>${columns.map((name) => `<th>${escapeHtml(name)}</th>`).join('')}</tr>
${rows.join('\n')}
</table>
</html>
`
}

/** Losses share a plot; every other number has one with its validation. */
function plotsOf(history: readonly EpochEvent[]): { name: string; curves: Curve[] }[] {
  const names = [...new Set(history.flatMap(({ numbers }) => Object.keys(numbers)))]
  const groups = new Map<string, string[]>()
  for (const name of names) {
    const group = name.replace(/^validation_/, '')
    groups.set(group, [...(groups.get(group) ?? []), name])
  }
  return [...groups].map(([name, members]) => ({
    name: name.replaceAll('_', ' '),
    curves: members.map((member) => ({
      name: member.replaceAll('_', ' '),
      points: history.flatMap(({ epoch, numbers }) => {
        const value = numbers[member]
        return value === undefined ? [] : [[epoch, value] as const]
      }),
    })),
  }))
}

/** Curves with axes, ticks and a legend. */
export function curvesSvg(
  curves: readonly Curve[],
  { xLabel = '' }: { readonly xLabel?: string } = {},
): string {
  const drawn = curves.map(({ name, points }) => ({
    name,
    points: points.filter((point) => point.every(Number.isFinite)),
  }))
  const all = drawn.flatMap(({ points }) => points)
  const [left, right] = range(all.map(([x]) => x))
  const [low, high] = padded(range(all.map(([, y]) => y)))
  const x = (value: number) =>
    MARGIN.left + ((value - left) / (right - left || 1)) * (WIDTH - MARGIN.left - MARGIN.right)
  const y = (value: number) =>
    HEIGHT - MARGIN.bottom - ((value - low) / (high - low || 1)) * (HEIGHT - MARGIN.top - MARGIN.bottom)
  const xTicks = ticks(left, right, 8).filter(Number.isInteger)
  const lines = ticks(low, high, 5).map(
    (value) =>
      `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${at(y(value))}" y2="${at(y(value))}" stroke="#e5e5e5"/>` +
      `<text x="${MARGIN.left - 8}" y="${at(y(value) + 4)}" text-anchor="end">${short(value)}</text>`,
  )
  const labels = xTicks.map(
    (value) =>
      `<text x="${at(x(value))}" y="${HEIGHT - MARGIN.bottom + 18}" text-anchor="middle">${short(value)}</text>`,
  )
  const paths = drawn.map(({ points }, i) => {
    const color = COLORS[i % COLORS.length]
    const [only] = points
    if (points.length === 1)
      return `<circle cx="${at(x(only![0]))}" cy="${at(y(only![1]))}" r="3" fill="${color}"/>`
    const path = points.map(([px, py]) => `${at(x(px))},${at(y(py))}`).join(' ')
    return `<polyline points="${path}" fill="none" stroke="${color}" stroke-width="2" stroke-linejoin="round"/>`
  })
  const legend = drawn.map(({ name }, i) => {
    const start = MARGIN.left + i * 170
    const color = COLORS[i % COLORS.length]
    const swatch = `<rect x="${start}" y="8" width="14" height="4" fill="${color}"/>`
    return `${swatch}<text x="${start + 20}" y="14">${escapeHtml(name)}</text>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" font-family="system-ui, sans-serif" font-size="12" fill="#444">
${lines.join('\n')}
${labels.join('\n')}
<text x="${WIDTH - MARGIN.right}" y="${HEIGHT - 6}" text-anchor="end">${escapeHtml(xLabel)}</text>
${paths.join('\n')}
${legend.join('\n')}
</svg>`
}

const at = (value: number): string => value.toFixed(1)

function range(values: readonly number[]): [number, number] {
  if (values.length === 0) return [0, 1]
  return [Math.min(...values), Math.max(...values)]
}

function padded([low, high]: readonly [number, number]): [number, number] {
  const margin = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1
  return [low - margin, high + margin]
}

/** Round numbers between two, about `count` of them. */
function ticks(low: number, high: number, count: number): number[] {
  const raw = (high - low) / count || 1
  const power = 10 ** Math.floor(Math.log10(raw))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= raw)!
  const first = Math.ceil(low / step)
  const last = Math.floor(high / step + 1e-9)
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) =>
    Number(((first + i) * step).toPrecision(12)),
  )
}

function short(value: number | undefined): string {
  if (value === undefined) return ''
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value)
  const size = Math.abs(value)
  return size !== 0 && (size < 1e-3 || size >= 1e6)
    ? value.toExponential(2)
    : String(Number(value.toPrecision(4)))
}
