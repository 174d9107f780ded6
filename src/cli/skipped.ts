// Report of inputs that were left out, on standard error.
import type { PipiloError } from '../base/index.ts'
import { isOfFile, type SkippedKind, SkippedKinds } from '../embed/index.ts'
import type { Terminal } from './command.ts'

/** An input that was left out, and why. */
export interface Skipped {
  readonly id: string
  readonly reason: string
}

/** An input, as those who read files know it. */
interface ReadLike {
  readonly id: string
  readonly input?: unknown
  readonly path?: string
  readonly found?: boolean
}

/**
 * Inputs that a command leaves out: what was found in a folder or by a glob and cannot be read always, what was named with
 * `--on-error skip`.
 */
export class LeftOut {
  readonly #skip: boolean
  readonly #kinds = new SkippedKinds()
  #count = 0

  constructor(skip: boolean) {
    this.#skip = skip
  }

  /** @throws the error of what may not be left out */
  add(input: ReadLike, error: PipiloError): void {
    const ordinary = input.found && (isOfFile(error) || error.code === 'INPUT_INVALID')
    if (!ordinary && !this.#skip) throw error
    const { id, path, input: content } = input
    this.#kinds.add({ id, ...(path !== undefined && { path }), input: content }, error)
    this.#count++
  }

  get count(): number {
    return this.#count
  }

  report(terminal: Terminal): void {
    reportKinds(this.#kinds.list(), terminal, this.#count)
  }
}

/** Most reasons shown in full: a folder of ten thousand broken files needs no ten thousand lines. */
const shown = 20

/** Says on standard error how many inputs were skipped, and the reasons. */
export function reportSkipped(skipped: readonly Skipped[], terminal: Terminal, count = skipped.length): void {
  if (!count) return
  head(terminal, count)
  for (const { id, reason } of skipped.slice(0, shown)) terminal.err(`  ${id}: ${reason}\n`)
  if (count > shown) terminal.err(`  … and ${count - shown} more\n`)
}

/** The same by reason, with a few names of each. */
export function reportKinds(kinds: readonly SkippedKind[], terminal: Terminal, count: number): void {
  if (!count) return
  head(terminal, count)
  for (const { reason, count: those, examples, message } of kinds) {
    const [first] = examples
    if (those === 1) terminal.err(`  ${first}: ${message}\n`)
    else
      terminal.err(`  ${those} × ${reason} (${examples.join(', ')}${those > examples.length ? ', …' : ''})\n`)
  }
}

const head = (terminal: Terminal, count: number): void =>
  terminal.err(`skipped ${count} ${count === 1 ? 'input' : 'inputs'}:\n`)
