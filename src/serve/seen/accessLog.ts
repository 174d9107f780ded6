// Lines of the access log.

/** One request as it was answered; `pipilo serve` writes it as a line of JSON. */
export interface AccessLine {
  /** When it came, ISO 8601. */
  readonly time: string
  readonly id: string
  readonly method: string
  /** The path as it was asked for, without its query. */
  readonly path: string
  readonly status: number
  readonly milliseconds: number
  /** Address of the client. */
  readonly from: string
  /** Number of the key that it bore, from 1. */
  readonly key?: number
  /** Code of a refusal. */
  readonly code?: string
  /** Further facts: the model, inputs, tokens. */
  readonly [fact: string]: string | number | undefined
}
