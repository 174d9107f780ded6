// Lays out tables for the terminal.

/** A column of a table: its heading, and whether it holds numbers (then it stands to the right). */
export interface Column {
  readonly heading: string
  readonly align?: 'left' | 'right'
  /** Longest text shown; what is beyond is cut with an ellipsis. */
  readonly limit?: number
}

const clip = (text: string, limit: number): string =>
  text.length > limit ? `${text.slice(0, Math.max(0, limit - 1))}…` : text

/**
 * Lays rows out under headings.
 *
 * @example
 * ```ts
 * table([{ heading: 'score', align: 'right' }, { heading: 'id' }], [['0.91', 'text:0']])
 * ```
 */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) =>
    columns.map(({ limit = 100 }, i) => clip((row[i] ?? '').replace(/\s+/g, ' '), limit)),
  )
  const widths = columns.map(({ heading }, i) =>
    Math.max(heading.length, ...cells.map((row) => row[i]!.length)),
  )
  const line = (row: readonly string[]) =>
    row
      .map((text, i) => (columns[i]!.align === 'right' ? text.padStart(widths[i]!) : text.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd()
  return [
    line(columns.map(({ heading }) => heading)),
    line(widths.map((width) => '─'.repeat(width))),
    ...cells.map(line),
  ].join('\n')
}
