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
  | 'OPERATOR_FAILED'
  | 'DISPOSED'
  | 'BUSY'
  | 'ABORTED'
  // inputs
  | 'INPUT_INVALID'
  | 'INPUT_UNKNOWN'
  | 'IMAGE_INVALID'
  | 'IMAGE_TOO_LARGE'
  | 'TEXT_INVALID'
  | 'OPTION_INVALID'
  // stores
  | 'DIMENSION_MISMATCH'
  | 'COLLECTION_MISMATCH'
  | 'COLLECTION_UNKNOWN'
  | 'STORE_FAILED'
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
 * ```ts
 * try { await embedder('hf:nobody/nothing') }
 * catch (error) { if (error instanceof PipiloError && error.code === 'OFFLINE') … }
 * ```
 *
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
}
