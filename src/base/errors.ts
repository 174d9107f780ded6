// The error class of Pipilo and its codes.

/** The stable codes of Pipilo's errors. A program may switch on them; the sentences may change. */
export type ErrorCode =
  // files and sources
  | 'FILE_NOT_FOUND'
  | 'NOT_A_FILE'
  | 'FILE_EMPTY'
  | 'FILE_UNREADABLE'
  | 'WRITE_FAILED'
  | 'FORMAT_INVALID'
  | 'FORMAT_UNSUPPORTED'
  | 'CHECKSUM_MISMATCH'
  | 'NETWORK'
  | 'OFFLINE'
  | 'HUB_DENIED'
  | 'REMOTE_DENIED'
  // models and graphs
  | 'MODEL_UNKNOWN'
  | 'MODEL_INVALID'
  | 'LAYER_UNKNOWN'
  | 'PROMPT_UNKNOWN'
  | 'RECIPE_MISMATCH'
  | 'OPERATOR_UNKNOWN'
  | 'OPERATOR_UNSUPPORTED'
  | 'SHAPE_MISMATCH'
  | 'DTYPE_MISMATCH'
  | 'PARAMETER_MISSING'
  | 'PARAMETER_UNUSED'
  | 'GRAPH_INVALID'
  // running
  | 'RUNTIME'
  | 'RESULT_INVALID'
  | 'WORKER_CRASHED'
  | 'RUNTIME_DIED'
  | 'DEVICE_UNAVAILABLE'
  | 'DEVICE_WRONG'
  | 'OPERATOR_FAILED'
  | 'DISPOSED'
  | 'BUSY'
  | 'ABORTED'
  // inputs
  | 'INPUT_INVALID'
  | 'INPUT_TOO_LONG'
  | 'INPUT_UNKNOWN'
  | 'INPUT_DENIED'
  | 'IMAGE_INVALID'
  | 'IMAGE_TOO_LARGE'
  | 'TEXT_INVALID'
  | 'OPTION_INVALID'
  // stores
  | 'DIMENSION_MISMATCH'
  | 'COLLECTION_MISMATCH'
  | 'COLLECTION_UNKNOWN'
  | 'STORE_FAILED'
  // servers
  | 'PORT_IN_USE'
  // command line
  | 'USAGE'

/** Options of {@link PipiloError}. */
export interface PipiloErrorOptions {
  /** Advice on how to put it right, in a sentence. */
  hint?: string
  /** The input that was wrong: a path, a name, an index. */
  input?: string | number
  /** The error that led to this one. */
  cause?: unknown
}

/**
 * The one error class of Pipilo.
 *
 * @example
 * ```ts
 * try { await embedder('hf:nobody/nothing') }
 * catch (error) { if (error instanceof PipiloError && error.code === 'OFFLINE') … }
 * ```
 *
 * @remarks
 * `message` says what was wrong with which input and, after it, the hint.
 */
export class PipiloError extends Error {
  override readonly name = 'PipiloError'
  /** Stable, for programs. */
  readonly code: ErrorCode
  /** Advice on how to put it right. */
  readonly hint: string | undefined
  /** The input that was wrong. */
  readonly input: string | number | undefined

  constructor(code: ErrorCode, sentence: string, options: PipiloErrorOptions = {}) {
    super(options.hint ? `${sentence} ${options.hint}` : sentence, { cause: options.cause })
    this.code = code
    this.hint = options.hint
    this.input = options.input
  }

  /**
   * The error as plain data, for logs and other threads; {@link fromJSON} makes an error of it again.
   *
   * @example
   * ```ts
   * JSON.stringify(error)   // {"name":"PipiloError","code":"OFFLINE","message":"…","hint":"…","input":"hf:nobody/nothing"}
   * ```
   *
   * @remarks
   * A cause keeps its name and message, and what it is made of if it is a PipiloError; no stack goes along.
   */
  toJSON(): PipiloErrorJSON {
    const { name, code, message, hint, input, cause } = this
    return {
      name,
      code,
      message,
      ...(hint !== undefined && { hint }),
      ...(input !== undefined && { input }),
      ...(cause !== undefined && { cause: plainCause(cause) }),
    }
  }

  /** The error that {@link toJSON} wrote: code, message, hint, input and cause are the same. */
  static fromJSON({ code, message, hint, input, cause }: PipiloErrorJSON): PipiloError {
    const ending = ` ${hint}`
    const sentence = hint && message.endsWith(ending) ? message.slice(0, -ending.length) : message
    return new PipiloError(code, sentence, {
      ...(hint !== undefined && { hint }),
      ...(input !== undefined && { input }),
      ...(cause !== undefined && { cause: isPlainError(cause) ? PipiloError.fromJSON(cause) : named(cause) }),
    })
  }
}

/** A {@link PipiloError} as plain data. */
export interface PipiloErrorJSON {
  readonly name: 'PipiloError'
  readonly code: ErrorCode
  readonly message: string
  readonly hint?: string
  readonly input?: string | number
  readonly cause?: PipiloErrorJSON | PlainCause
}

/** Name and message, kept of a cause that is no {@link PipiloError}. */
interface PlainCause {
  readonly name: string
  readonly message: string
}

function plainCause(cause: unknown): PipiloErrorJSON | PlainCause {
  if (cause instanceof PipiloError) return cause.toJSON()
  if (cause instanceof Error) return { name: cause.name, message: cause.message }
  return { name: 'Error', message: String(cause) }
}

function isPlainError(cause: PipiloErrorJSON | PlainCause): cause is PipiloErrorJSON {
  return cause.name === 'PipiloError' && 'code' in cause
}

function named({ name, message }: PlainCause): Error {
  return Object.defineProperty(new Error(message), 'name', { value: name })
}
