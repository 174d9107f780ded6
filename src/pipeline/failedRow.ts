// Rows that failed, and the errors that say in which stage and row.
import { PipiloError } from '../base/index.ts'

/**
 * A row that failed, handed out in its place with `onError: 'keep'`.
 *
 * @example
 * ```ts
 * for (const image of await dc(paths).imageDecode().toList({ onError: 'keep' })) {
 *   if (image instanceof FailedRow) console.error(image.row, image.error.message)
 * }
 * ```
 */
export class FailedRow {
  /** Index, in the source, of the row that failed or that it came from. */
  readonly row: number
  /** Name of the stage where it failed. */
  readonly stage: string
  /** Says which row failed in which stage and why; what the stage threw is its `cause`. */
  readonly error: PipiloError
  /** Input of the stage that failed. */
  readonly value: unknown

  constructor(row: number, stage: string, error: PipiloError, value: unknown) {
    this.row = row
    this.stage = stage
    this.error = error
    this.value = value
  }
}

/** A failure that is not a row's own: the source broke, or an operator did not open. It ends every run. */
export class Breakdown extends FailedRow {}

/** Puts the place before the sentence; our own errors keep their code. */
export function errorAt(place: string, cause: unknown, row: number): PipiloError {
  const code = cause instanceof PipiloError ? cause.code : 'OPERATOR_FAILED'
  const reason = cause instanceof Error ? cause.message || cause.name : String(cause)
  return new PipiloError(code, `${place}: ${reason}`, { input: row, cause })
}
