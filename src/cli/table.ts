// Lays out tables for the terminal.

/** A column of a table: its heading, and whether it holds numbers (then it stands to the right). */
export interface Column {
  readonly heading: string
  readonly align?: 'left' | 'right'
  /** Longest text shown; what is beyond is cut with an ellipsis. */
  readonly limit?: number
  /** Part of a longer text that is shown. Default `start`; paths tell more at their end. */
  readonly keep?: 'start' | 'end'
}

const clip = (text: string, limit: number, keep: Column['keep']): string => {
  if (text.length <= limit) return text
  const room = Math.max(0, limit - 1)
  return keep === 'end' ? `…${text.slice(text.length - room)}` : `${text.slice(0, room)}…`
}

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
    columns.map(({ limit = 100, keep }, i) => clip((row[i] ?? '').replace(/\s+/g, ' '), limit, keep)),
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
