// Report of skipped inputs on standard error.
import type { Terminal } from './command.ts'

/** An input that was left out, and why. */
export interface Skipped {
  readonly id: string
  readonly reason: string
}

/** Most reasons shown in full: a folder of ten thousand broken files needs no ten thousand lines. */
const shown = 20

/** Says on standard error how many inputs were skipped, and the reasons. */
export function reportSkipped(skipped: readonly Skipped[], terminal: Terminal, count = skipped.length): void {
  if (!count) return
  terminal.err(`skipped ${count} ${count === 1 ? 'input' : 'inputs'}:\n`)
  for (const { id, reason } of skipped.slice(0, shown)) terminal.err(`  ${id}: ${reason}\n`)
  if (count > shown) terminal.err(`  … and ${count - shown} more\n`)
}
