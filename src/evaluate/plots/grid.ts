// Squares of colour in rows and columns: confusion matrices and similarities.
import { clipped, type Drawing, drawn, type Plot, thinned, widthOf } from './svg.ts'

/** A square of a grid. */
export interface Cell {
  readonly row: number
  readonly column: number
  /** Decides the colour. */
  readonly value: number
  /** Stands in the square where there is room. */
  readonly text: string
}

/** A grid, or several beside each other with the same names. */
export interface Grid {
  readonly title: string
  readonly rows: readonly string[]
  readonly columns: readonly string[]
  readonly rowLabel: string
  readonly columnLabel: string
  readonly panels: readonly { readonly name: string; readonly cells: readonly Cell[] }[]
  /** Values of the first and the last colour. */
  readonly domain: readonly [low: number, high: number]
  /** Says what the colour is. */
  readonly legend: string
}

const LONGEST = 26

/** The grid as SVG. */
export function gridSvg(grid: Grid): Promise<string> {
  const [rows, columns] = [grid.rows, grid.columns].map((names) =>
    names.map((name) => clipped(name, LONGEST)),
  ) as [string[], string[]]
  const most = Math.max(rows.length, columns.length)
  const cell = most <= 14 ? 44 : most <= 32 ? 26 : Math.max(2, Math.min(18, 900 / most))
  const longest = (names: readonly string[]) => Math.max(...names.map(widthOf), 0)
  const flat = longest(columns) < cell
  const margin = {
    left: longest(rows) + 40,
    right: 20 + (flat ? 0 : 0.7 * longest(columns)),
    top: grid.panels.length > 1 ? 28 : 10,
    bottom: (flat ? 20 : 0.75 * longest(columns) + 16) + 30,
  }
  const gap = margin.right
  const panelWidth = columns.length * cell
  const count = grid.panels.length
  const width = Math.max(360, margin.left + count * panelWidth + (count - 1) * gap + margin.right)
  const height = margin.top + rows.length * cell + margin.bottom
  const [low, high] = grid.domain
  const isDark = (value: number) => (value - low) / (high - low) > 0.55
  const data = grid.panels.flatMap(({ name, cells }) => cells.map((one) => ({ ...one, panel: name })))
  const room = (text: string) => cell >= 24 && 6.2 * text.length <= cell
  const numbered = (names: readonly string[]) => names.map((_, i) => i)
  const make = (plot: Plot): Drawing => ({
    width,
    height,
    marginLeft: margin.left,
    marginRight: width - margin.left - count * panelWidth - (count - 1) * gap,
    marginTop: margin.top,
    marginBottom: margin.bottom,
    padding: 0,
    x: { type: 'band', domain: numbered(columns), padding: cell > 10 ? 0.04 : 0, axis: null },
    y: { type: 'band', domain: numbered(rows), padding: cell > 10 ? 0.04 : 0, axis: null },
    color: { type: 'linear', scheme: 'ylgnbu', domain: [low, high], clamp: true },
    ...(count > 1 && {
      fx: {
        domain: grid.panels.map(({ name }) => name),
        padding: gap / (panelWidth + gap),
        paddingOuter: 0,
        axis: 'top' as const,
        label: null,
      },
    }),
    marks: [
      plot.cell(data, {
        x: 'column',
        y: 'row',
        fill: 'value',
        ...(count > 1 && { fx: 'panel' }),
        title: ({ row, column, text }: Cell) => `${grid.rows[row]} → ${grid.columns[column]}: ${text}`,
      }),
      plot.text(
        data.filter(({ text }) => room(text)),
        {
          x: 'column',
          y: 'row',
          text: 'text',
          fontSize: 11,
          fill: ({ value }: Cell) => (isDark(value) ? '#ffffff' : '#1c2b3a'),
          ...(count > 1 && { fx: 'panel' }),
        },
      ),
      plot.axisY({
        ticks: thinned(numbered(rows), cell),
        tickFormat: (i: number) => rows[i]!,
        tickSize: 0,
        label: grid.rowLabel,
        labelAnchor: 'center',
        labelOffset: margin.left - 12,
        labelArrow: 'none',
        ...(count > 1 && { facetAnchor: 'left' as const }),
      }),
      plot.axisX({
        ticks: thinned(numbered(columns), cell, flat ? 13 : 20),
        tickFormat: (i: number) => columns[i]!,
        tickSize: 0,
        ...(flat ? {} : { tickRotate: 45, textAnchor: 'start' as const }),
        label: grid.columnLabel,
        labelAnchor: 'center',
        labelOffset: margin.bottom - 8,
        labelArrow: 'none',
      }),
    ],
  })
  return drawn(grid.title, make, [{ color: '#225ea8', text: grid.legend }])
}
