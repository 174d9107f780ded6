// Progress line on the terminal.
import type { Terminal } from './command.ts'

/** A line on the terminal that tells how far the work is; silent in a pipe. */
export interface Progress {
  update(done: number, total?: number, note?: string): void
  /** Removes the line, so that what follows starts clean. */
  clear(): void
}

const silent: Progress = { update() {}, clear() {} }

/** How often the line is drawn at most, in milliseconds. */
const interval = 80

/**
 * @example
 * ```ts
 * const bar = progress(terminal, 'embedding')
 * bar.update(3, 10)   // embedding ━━━━━━╸            3/10 · 12/s
 * bar.clear()
 * ```
 */
export function progress(terminal: Terminal, label: string): Progress {
  if (!terminal.interactive) return silent
  const start = performance.now()
  let drawn = 0
  return {
    update(done, total, note = '') {
      const now = performance.now()
      if (now - drawn < interval && done !== total) return
      drawn = now
      const rate = done / Math.max((now - start) / 1000, 1e-3)
      const numbers = `${done}${total === undefined ? '' : `/${total}`} · ${rate.toFixed(rate < 10 ? 1 : 0)}/s${note && ` · ${note}`}`
      const room = Math.min(30, terminal.width - label.length - numbers.length - 4)
      terminal.err(`\r\x1b[2K${label} ${total && room > 4 ? `${bar(done / total, room)} ` : ''}${numbers}`)
    },
    clear() {
      if (drawn) terminal.err('\r\x1b[2K')
    },
  }
}

function bar(share: number, width: number): string {
  const halves = Math.round(Math.min(1, share) * width * 2)
  const full = halves >> 1
  return `${'━'.repeat(full)}${halves & 1 ? '╸' : ''}`.padEnd(width)
}

/** Bytes as a person reads them. */
export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`
