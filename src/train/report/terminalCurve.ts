/** A curve drawn with the characters of a terminal. */
import { checkOptions, is, type OptionTable } from '../../base/index.ts'

const terminalCurveTypes: OptionTable<TerminalCurveOptions> = { width: is.count(1), height: is.count(1) }

/** Options of {@link terminalCurve}. */
export interface TerminalCurveOptions {
  /** Columns of the plot. Default 60. */
  readonly width?: number
  /** Rows of the plot. Default 8. */
  readonly height?: number
}

/** Eighths of a cell, from below. */
const BLOCKS = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']

/**
 * Draws numbers as a filled curve, from the first to the last, with the largest and the smallest beside it.
 *
 * @example
 * ```ts
 * console.log(terminalCurve(losses, { width: 40, height: 6 }))
 * ```
 *
 * @remarks Of more numbers than columns, each column is the mean of its share. Numbers that are not finite are left out.
 */
export function terminalCurve(values: readonly number[], options: TerminalCurveOptions = {}): string {
  checkOptions('terminalCurve', options, terminalCurveTypes)
  const { width = 60, height = 8 } = options
  const finite = values.filter(Number.isFinite)
  if (finite.length === 0) return ''
  const columns = Array.from({ length: Math.min(width, finite.length) }, (_, column) => {
    const [from, to] = [column, column + 1].map((edge) =>
      Math.floor((edge * finite.length) / Math.min(width, finite.length)),
    )
    const share = finite.slice(from, to)
    return share.reduce((sum, value) => sum + value, 0) / share.length
  })
  const [low, high] = [Math.min(...columns), Math.max(...columns)]
  const scaled = columns.map(
    (value) => (high === low ? 1 : (value - low) / (high - low)) * (height * 8 - 1) + 1,
  )
  const labels = [shown(high), shown(low)]
  const margin = Math.max(...labels.map((label) => label.length))
  const rows = Array.from({ length: height }, (_, row) => {
    const base = (height - 1 - row) * 8
    const line = scaled.map((level) => BLOCKS[Math.max(0, Math.min(8, Math.round(level) - base))]).join('')
    const label = row === 0 ? labels[0]! : row === height - 1 ? labels[1]! : ''
    return `${label.padStart(margin)} │${line.trimEnd()}`
  })
  return rows.join('\n')
}

const shown = (value: number): string =>
  Math.abs(value) >= 1000 ? value.toExponential(1) : value.toPrecision(3)
