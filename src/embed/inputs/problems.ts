// Tells faults of files from other errors, and groups them by reason.
import type { PipiloError } from '../../base/index.ts'

/** An input that was left out. */
interface LeftOut {
  readonly id: string
  readonly path?: string
  readonly input?: unknown
}

const ofFile: ReadonlySet<PipiloError['code']> = new Set([
  'FILE_NOT_FOUND',
  'NOT_A_FILE',
  'FILE_EMPTY',
  'FILE_UNREADABLE',
  'FORMAT_INVALID',
  'FORMAT_UNSUPPORTED',
  'IMAGE_INVALID',
  'IMAGE_TOO_LARGE',
  'TEXT_INVALID',
])

/** True for an error that says what a file holds or that it cannot be read, rather than what the program did. */
export const isOfFile = ({ code }: PipiloError): boolean => ofFile.has(code)

/** Inputs that were left out for one reason. */
export interface SkippedKind {
  /** The reason, with `…` in the place of the name. */
  readonly reason: string
  readonly code: PipiloError['code']
  readonly count: number
  /** Ids of the first few. */
  readonly examples: readonly string[]
  /** Whole sentence of the first. */
  readonly message: string
}

/** Reasons that are told apart, and examples that are kept of each. */
const MOST_KINDS = 100
const EXAMPLES = 3

/** Counts what is left out by reason, in little memory however much that is. */
export class SkippedKinds {
  readonly #kinds = new Map<
    string,
    { reason: string; code: PipiloError['code']; count: number; examples: string[]; message: string }
  >()

  add(input: LeftOut, { message, code }: PipiloError): void {
    const reason = withoutNames(message, input)
    const key = this.#kinds.has(reason) || this.#kinds.size < MOST_KINDS ? reason : 'Other reasons.'
    let kind = this.#kinds.get(key)
    if (!kind) {
      kind = { reason: key, code, count: 0, examples: [], message }
      this.#kinds.set(key, kind)
    }
    kind.count++
    if (kind.examples.length < EXAMPLES) kind.examples.push(input.id)
  }

  /** The most frequent first. */
  list(): SkippedKind[] {
    return [...this.#kinds.values()].sort((a, b) => b.count - a.count)
  }
}

/** An error's sentence with `…` for the name of its input, which several inputs then share. */
function withoutNames(message: string, { id, path, input }: LeftOut): string {
  const names = [id, path, typeof input === 'string' && input.length < 4096 ? input : undefined]
  let reason = message
  for (const name of names) if (name) reason = reason.replaceAll(name, '…')
  return reason.replace(/^Line \d+ of …/, 'A line of …')
}
