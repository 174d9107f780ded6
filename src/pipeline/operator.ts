// Operators: functions over rows or batches, with resources that are opened and closed.
import { register } from './registry.ts'

/** Arguments of a run beside the rows of the batch. */
export interface Context {
  /** Aborted when nobody waits for the result any more. */
  readonly signal: AbortSignal
}

/** An operator's resources, open. */
export interface OpenOperator<In, Out> {
  /**
   * One result a value, in order. A result that is an `Error` is the failure of that row. If the whole call fails, it is
   * repeated value by value, so that only the bad rows fail.
   */
  readonly run: (
    values: readonly In[],
    context: Context,
  ) => Promise<readonly (Out | Error)[]> | readonly (Out | Error)[]
  /** Frees the resources; nothing is running then. */
  readonly close?: () => void | Promise<void>
}

/** An operator over batches of rows. */
export interface BatchDefinition<In, Out> {
  /** Rows a call, at most: a call takes what is there. Default 16. */
  readonly batch?: number
  /** Calls at the same time; results stay in order. Default 1. */
  readonly concurrency?: number
  /** Opens models, files, connections: once a run, or once a pipe. */
  readonly open: () => OpenOperator<In, Out> | Promise<OpenOperator<In, Out>>
}

/**
 * A step of a pipeline, such as `ops.imageDecode()`. It takes one value a row; where several columns are mapped, that
 * value is the array of them.
 */
export type Operator<In, Out> = RowOperator<In, Out> | BatchOperator<In, Out>

export interface RowOperator<In, Out> {
  readonly name: string
  /** Calls at the same time, if the function turns out to return promises. Default 8. */
  readonly concurrency?: number
  // Not named `call`, which every function has.
  readonly each: (value: In) => Out | Promise<Out>
}

export interface BatchOperator<In, Out> extends BatchDefinition<In, Out> {
  readonly name: string
}

/** Makes an operator from its options. */
export type OperatorFactory<Options extends unknown[], In, Out> = (...options: Options) => Operator<In, Out>

/**
 * Operators of one's own. Declare them here, and `ops` and `dc` know them by name and type:
 *
 * @example
 * ```ts
 * const shout = defineOperator('shout', (options: { mark?: string } = {}) =>
 *   (text: string) => text.toUpperCase() + (options.mark ?? '!'))
 *
 * declare module 'pipilo' {
 *   interface Operators { shout: typeof shout }
 * }
 *
 * await dc(['hello']).shout({ mark: '?' }).toList()   // ['HELLO?']
 * ```
 */
// biome-ignore lint/suspicious/noEmptyInterface: users add to it
export interface Operators {}

/**
 * Registers an operator under a name, with dots for groups (`textEmbedding.sentence`).
 *
 * @example
 * ```ts
 * const shout = defineOperator('shout', (options: { mark?: string } = {}) =>
 *   (text: string) => text.toUpperCase() + (options.mark ?? '!'))
 * pipe.input('text').map('text', 'loud', shout({ mark: '?' }))
 *
 * const translate = defineOperator('translate', (to: string) => ({
 *   batch: 32,
 *   async open() {
 *     const client = await connectTo(to)
 *     return { run: (texts: readonly string[]) => client.translate(texts), close: () => client.close() }
 *   },
 * }))
 * ```
 *
 * @param factory from options to a function of one row, or to a {@link BatchDefinition}
 * @returns makes the operator from its options; `ops.<name>` and `dc(…).<name>` do the same, see {@link Operators}
 * @throws PipiloError `OPTION_INVALID` if the name is taken or is not made of identifiers
 */
export function defineOperator<Options extends unknown[], In, Out>(
  name: string,
  factory: (...options: Options) => (value: In) => Out,
): OperatorFactory<Options, In, Awaited<Out>>
export function defineOperator<Options extends unknown[], In, Out>(
  name: string,
  factory: (...options: Options) => BatchDefinition<In, Out>,
): OperatorFactory<Options, In, Out>
export function defineOperator<Options extends unknown[], In, Out>(
  name: string,
  factory: (...options: Options) => ((value: In) => Out) | BatchDefinition<In, Out>,
): OperatorFactory<Options, In, Out> {
  const make = (...options: Options): Operator<In, Out> => {
    const made = factory(...options)
    return typeof made === 'function' ? { name, each: made } : { ...made, name }
  }
  register(name, make)
  return make
}
