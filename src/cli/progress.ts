// Progress line on the terminal.
import type { Terminal } from './command.ts'

/** A line on the terminal that tells how far the work is; silent in a pipe. */
export interface Progress {
  update(done: number, total?: number, note?: string): void
  /** Removes the line, so that what follows starts clean. */
  clear(): void
}

const silent: Progress = { update() {}, clear() {} }

/** Between the parts of the line. */
const separator = ' · '

/** How often the line is drawn at most, in milliseconds. */
const interval = 80

/**
 * @example
 * ```ts
 * const bar = progress(terminal, 'embedding')
 * bar.update(2, 10)   // embedding ━━━━               2/10
 * bar.update(3, 10)   // embedding ━━━━━━             3/10 · 12/s
 * bar.clear()
 * ```
 */
export function progress(terminal: Terminal, label: string): Progress {
  if (!terminal.interactive) return silent
  // Work that goes on with what an earlier process did begins above 0: that was not done in this one's time.
  let first: { readonly done: number; readonly at: number } | undefined
  let drawn = 0
  return {
    update(done, total, note = '') {
      const now = performance.now()
      first ??= { done, at: now }
      if (now - drawn < interval && done !== total) return
      drawn = now
      const rate = (done - first.done) / Math.max((now - first.at) / 1000, 1e-3)
      const parts = [
        `${done}${total === undefined ? '' : `/${total}`}`,
        ...(rate > 0 ? [`${rate.toFixed(rate < 10 ? 1 : 0)}/s`] : []),
        ...(note ? note.split(separator) : []),
      ]
      const numbers = fitting(parts, terminal.width - label.length - 2)
      const room = Math.min(30, terminal.width - label.length - numbers.length - 4)
      terminal.err(`\r\x1b[2K${label} ${total && room > 4 ? `${bar(done / total, room)} ` : ''}${numbers}`)
    },
    clear() {
      if (drawn) terminal.err('\r\x1b[2K')
    },
  }
}

/** The parts, without the last ones that have no room: a line that is wrapped cannot be drawn over. */
function fitting(parts: readonly string[], room: number): string {
  const text = parts.join(separator)
  return text.length <= room || parts.length === 1 ? text : fitting(parts.slice(0, -1), room)
}

function bar(share: number, width: number): string {
  const halves = Math.round(Math.min(1, share) * width * 2)
  const full = halves >> 1
  return `${'━'.repeat(full)}${halves & 1 ? '╸' : ''}`.padEnd(width)
}

/** Bytes as a person reads them. */
export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`
