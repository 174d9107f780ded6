// The plots of evaluations: confusion matrix, similarities, quality by depth.
import { PipiloError } from '../../base/index.ts'
import { type Matrix, row, similarityMatrix, type Vector } from '../../tensor/index.ts'
import { checkPaired } from '../measures/checks.ts'
import { checkMatrix } from '../measures/labelled.ts'
import { type Cell, gridSvg } from './grid.ts'
import { drawn, LINES, type Plot } from './svg.ts'
import type { ConfusionPlotOptions, DepthPlotOptions, PlottedLayer, SimilarityPlotOptions } from './types.ts'

/** See `confusionMatrixPlot` in ../onDemand.ts. */
export function confusionMatrixPlot(
  confusion: readonly ArrayLike<number>[],
  {
    classes = confusion.map((_, i) => `${i}`),
    columns = classes,
    title = 'Confusion matrix',
    columnLabel = 'predicted',
  }: ConfusionPlotOptions,
): Promise<string> {
  checkPaired({ confusion, classes }, 1)
  checkPaired({ 'confusion[0]': confusion[0]!, columns }, 1)
  const cells = confusion.flatMap((counts, row): Cell[] => {
    const sum = Array.from(counts).reduce((total, count) => total + count, 0)
    return Array.from(counts, (count, column) => {
      if (!(count >= 0) || counts.length !== columns.length) {
        throw new PipiloError('INPUT_INVALID', `Row ${row} of confusion holds no ${columns.length} counts.`, {
          input: row,
        })
      }
      return { row, column, value: sum === 0 ? 0 : count / sum, text: count === 0 ? '' : `${count}` }
    })
  })
  return gridSvg({
    title,
    rows: classes,
    columns,
    rowLabel: 'label',
    columnLabel,
    panels: [{ name: '', cells }],
    domain: [0, 1],
    legend: 'darker: a larger share of the row',
  })
}

/** See `similarityPlot` in ../onDemand.ts. */
export function similarityPlot(
  vectors: readonly Vector[] | Matrix | Readonly<Record<string, readonly Vector[] | Matrix>>,
  { labels, title = 'Cosine similarity' }: SimilarityPlotOptions,
): Promise<string> {
  const isOne = Array.isArray(vectors) || 'columns' in vectors
  const sets = Object.entries(
    (isOne ? { '': vectors } : vectors) as Record<string, readonly Vector[] | Matrix>,
  )
  const matrices = sets.map(([name, set]) => [name, checkMatrix(name || 'vectors', set)] as const)
  const count = matrices[0]?.[1].rows ?? 0
  const names = labels ?? Array.from({ length: count }, (_, i) => `${i}`)
  checkPaired(
    {
      labels: names,
      ...Object.fromEntries(matrices.map(([name, { rows }]) => [name || 'vectors', { length: rows }])),
    },
    1,
  )
  const panels = matrices.map(([name, matrix]) => {
    const { data } = similarityMatrix(Array.from({ length: count }, (_, i) => row(matrix, i)))
    const cells = Array.from(
      data,
      (value, at): Cell => ({
        row: Math.floor(at / count),
        column: at % count,
        value,
        text: value.toFixed(2).replace(/^(-?)0\./, '$1.'),
      }),
    )
    return { name, cells }
  })
  const least = panels.reduce((low, { cells }) => cells.reduce((l, { value }) => Math.min(l, value), low), 0)
  return gridSvg({
    title,
    rows: names,
    columns: names,
    rowLabel: '',
    columnLabel: '',
    panels,
    domain: [least, 1],
    legend: `darker: a higher cosine, from ${least.toFixed(2)} to 1`,
  })
}

/** A layer of a series. */
interface Point {
  readonly series: string
  readonly layer: string
  readonly depth: number
  readonly value: number
  readonly low: number
  readonly high: number
  readonly isBest: boolean
  readonly isDefault: boolean
}

/** See `depthPlot` in ../onDemand.ts. */
export function depthPlot(
  series: readonly PlottedLayer[] | Readonly<Record<string, readonly PlottedLayer[]>>,
  { title }: DepthPlotOptions,
): Promise<string> {
  const named = Array.isArray(series)
    ? { [series[0]?.model?.name ?? '']: series as readonly PlottedLayer[] }
    : (series as Readonly<Record<string, readonly PlottedLayer[]>>)
  const names = Object.keys(named)
  const points = Object.entries(named).flatMap(([name, layers]) => pointsOf(name, layers))
  if (points.length === 0) {
    throw new PipiloError('INPUT_INVALID', 'There are no layers to draw.', { input: 'series' })
  }
  const { measure } = Object.values(named).flat()[0]!.main
  const color = (name: string) => LINES[names.indexOf(name) % LINES.length]!
  const inColor = ({ series: name }: Point) => color(name)
  const [low, high] = [Math.min(...points.map((one) => one.low)), Math.max(...points.map((one) => one.high))]
  const room = 0.05 * (high - low || 1)
  const axis = { labelAnchor: 'center', labelArrow: 'none' } as const
  const marked = (chosen: readonly Point[], symbol: 'star' | 'circle', plot: Plot) =>
    plot.dot(chosen, { x: 'depth', y: 'value', r: 5.5, symbol, fill: inColor, stroke: 'currentColor' })
  const legend = names.map((name) => ({ color: color(name), text: told(name, points) }))
  return drawn(
    title ?? `${measure} by depth`,
    (plot) => ({
      width: 760,
      height: 420,
      marginLeft: 66,
      marginRight: 24,
      marginTop: 12,
      marginBottom: 46,
      x: { ...axis, domain: [0, 100], label: 'depth: share of the operators up to the layer, %' },
      y: { ...axis, domain: [low - room, high + room], label: measure, labelOffset: 54, grid: true },
      marks: [
        plot.areaY(points, {
          x: 'depth',
          y1: 'low',
          y2: 'high',
          z: 'series',
          fill: inColor,
          fillOpacity: 0.16,
        }),
        plot.line(points, { x: 'depth', y: 'value', z: 'series', stroke: inColor }),
        plot.dot(points, {
          x: 'depth',
          y: 'value',
          r: 2.4,
          fill: inColor,
          title: ({ layer, value }: Point) => `${layer}: ${value.toFixed(4)}`,
        }),
        marked(
          points.filter(({ isDefault }) => isDefault),
          'circle',
          plot,
        ),
        marked(
          points.filter(({ isBest }) => isBest),
          'star',
          plot,
        ),
      ],
    }),
    legend,
  )
}

/** The best layer of a series, and the default, in words. */
function told(name: string, points: readonly Point[]): string {
  const own = points.filter(({ series }) => series === name)
  const of = ({ layer, value }: Point) => `${layer} ${value.toFixed(4)}`
  const best = own.find(({ isBest }) => isBest)!
  const usual = own.find(({ isDefault }) => isDefault)
  const rest = usual === best ? ', the default' : usual ? `, ● default ${of(usual)}` : ''
  return `${name}${name && ': '}★ best ${of(best)}${rest}`
}

function pointsOf(series: string, layers: readonly PlottedLayer[]): Point[] {
  const best = layers.reduce((top, one, i) => (one.main.value > layers[top]!.main.value ? i : top), 0)
  return layers.map(({ layer, depth, main: { value, interval }, isDefault }, i) => ({
    series,
    layer,
    depth: 100 * depth,
    value,
    low: interval?.low ?? value,
    high: interval?.high ?? value,
    isBest: i === best,
    isDefault,
  }))
}
