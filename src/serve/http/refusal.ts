// Refusals of requests: the status, the code and the sentence that a client gets, in the words of the interface that it speaks.
import { type ErrorCode, PipiloError } from '../../base/index.ts'
import { wordsForHttp } from './hints.ts'

/** An interface whose form errors have. */
export type Dialect = 'openai' | 'cohere' | 'tei' | 'pipilo'

/** A request that is not answered as it wished. It does not leave this room. */
export class Refusal extends Error {
  readonly status: number
  /** For programs. */
  readonly code: string
  /** The field that was wrong. */
  readonly field: string | undefined
  /** Seconds after which to ask again. */
  readonly retryAfter: number | undefined
  /** Found before the body was read: the connection is of no use any more. */
  readonly closes: boolean

  constructor(
    status: number,
    code: string,
    message: string,
    options: { field?: string | undefined; retryAfter?: number; closes?: boolean; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.status = status
    this.code = code
    this.field = options.field
    this.retryAfter = options.retryAfter
    this.closes = options.closes ?? false
  }
}

/** Statuses of what a client can put right; all else is ours to mend. */
const statuses: Partial<Record<ErrorCode, number>> = {
  MODEL_UNKNOWN: 404,
  COLLECTION_UNKNOWN: 404,
  LAYER_UNKNOWN: 400,
  PROMPT_UNKNOWN: 400,
  INPUT_INVALID: 400,
  INPUT_TOO_LONG: 400,
  INPUT_UNKNOWN: 400,
  TEXT_INVALID: 400,
  IMAGE_INVALID: 400,
  IMAGE_TOO_LARGE: 413,
  FILE_EMPTY: 400,
  FORMAT_INVALID: 400,
  FORMAT_UNSUPPORTED: 400,
  OPTION_INVALID: 400,
  DIMENSION_MISMATCH: 400,
  COLLECTION_MISMATCH: 409,
  RECIPE_MISMATCH: 409,
  BUSY: 429,
}

/** The refusal that an error comes to. The words of errors that are ours to mend stay here: they may name paths. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error
  if (error instanceof PipiloError) {
    const status = statuses[error.code]
    if (status !== undefined) {
      const field =
        typeof error.input === 'string' && error.code === 'OPTION_INVALID' ? error.input : undefined
      return new Refusal(status, error.code.toLowerCase(), wordsForHttp(error), {
        field,
        cause: error,
        ...(status === 429 && { retryAfter: 1 }),
      })
    }
  }
  return new Refusal(500, 'internal', 'Something went wrong inside the server; its log says what.', {
    cause: error,
  })
}

/** The body of an answer that refuses. */
export function refusalBody({ status, code, message, field }: Refusal, dialect: Dialect): unknown {
  switch (dialect) {
    case 'openai':
      return { error: { message, type: openAiType(status), param: field ?? null, code } }
    case 'cohere':
      return { message, code }
    case 'tei':
      return { error: message, error_type: teiType(status), code }
    case 'pipilo':
      return { error: { code, message, ...(field !== undefined && { field }) } }
  }
}

function openAiType(status: number): string {
  if (status === 429) return 'rate_limit_error'
  if (status === 401) return 'authentication_error'
  return status >= 500 ? 'server_error' : 'invalid_request_error'
}

function teiType(status: number): string {
  if (status === 429) return 'Overloaded'
  if (status === 503) return 'Unhealthy'
  return status >= 500 ? 'Backend' : 'Validation'
}

/** True of errors of a caller that has gone, or whose time is over. */
export const isAborted = (error: unknown): boolean => error instanceof PipiloError && error.code === 'ABORTED'
