// Data collections: chains of operators over rows, run when they are read.
import { checkOptions, is, type OptionTable, PipiloError } from '../base/index.ts'
import {
  type AnyInput,
  type RawImage,
  type ReadInput,
  type ReadInputsOptions,
  readInputsOptionTypes,
  type TextImageInput,
} from '../embed/index.ts'
import type { Matrix } from '../tensor/index.ts'
import type {
  ImageDecodeOptions,
  ImageEmbeddingOptions,
  ImageInput,
  PositionEmbeddingOptions,
  SentenceEmbeddingOptions,
  TextImageEmbeddingOptions,
  TokenEmbeddingOptions,
} from './builtInTypes.ts'
import type { FailedRow } from './failedRow.ts'
import { OpenForRun } from './opener.ts'
import type { Operator, Operators } from './operator.ts'
import { lookUpProperty, reserveNames } from './registry.ts'
import { callStage, filterStage, flattenStage, type Stage, takeStage, windowStage } from './stages.ts'
import type { Progress, RunOptions, Source } from './types.ts'

/**
 * A column of values on their way through stages, made by {@link dc} or {@link glob}. Nothing runs until it is read, by
 * `for await`, `stream` or `toList`. Each method gives a new collection.
 */
export type DataCollection<T> = Chain<T> & BuiltInChain<T> & Chained<T, Operators>

/** The same operators as methods of a collection of `T`. */
export interface BuiltInChain<T> {
  readonly textEmbedding: [T] extends [string] ? TextEmbeddingMethods : never
  /** See {@link BuiltInOperators.imageDecode}. */
  readonly imageDecode: [T] extends [ImageInput]
    ? (options?: ImageDecodeOptions) => DataCollection<RawImage>
    : never
  readonly imageEmbedding: [T] extends [ImageInput] ? ImageEmbeddingMethods : never
  /** Of texts with `modality: 'text'`, of pictures with `'image'`; of `{ text }` and `{ image }` without. */
  readonly textImageEmbedding: ([T] extends [AnyInput] ? unknown : never) &
    ([T] extends [string] ? TextImageEmbeddingMethods<{ readonly modality: 'text' }> : unknown) &
    ([T] extends [ImageInput] ? TextImageEmbeddingMethods<{ readonly modality: 'image' }> : unknown) &
    ([T] extends [TextImageInput] ? TextImageEmbeddingMethods<{ readonly modality?: undefined }> : unknown)
}

interface TextEmbeddingMethods {
  /** See {@link BuiltInOperators.textEmbedding}. */
  transformers(options?: TokenEmbeddingOptions): DataCollection<Matrix>
  /** See {@link BuiltInOperators.textEmbedding}. */
  sentence(options?: SentenceEmbeddingOptions): DataCollection<Float32Array>
}

interface ImageEmbeddingMethods {
  /** See {@link BuiltInOperators.imageEmbedding}. */
  timm(options: PositionEmbeddingOptions): DataCollection<Matrix>
  timm(options?: ImageEmbeddingOptions): DataCollection<Float32Array>
}

interface TextImageEmbeddingMethods<Modality> {
  /** See {@link BuiltInOperators.textImageEmbedding}. */
  clip(options: TextImageEmbeddingOptions & Modality): DataCollection<Float32Array>
}

/** Operators of one's own as methods, see {@link Operators}. */
export type Chained<T, Group> = {
  readonly [Name in keyof Group]: Group[Name] extends (
    ...options: infer Options
  ) => Operator<infer In, infer Out>
    ? [T] extends [In]
      ? (...options: Options) => DataCollection<Out>
      : never
    : Chained<T, Group[Name]>
}

export interface MapOptions {
  /** Calls at the same time, if the function returns promises. Default 8. */
  readonly concurrency?: number
}

export interface WindowOptions {
  /** Keep the windows that the end cuts short. Default `true`. */
  readonly partial?: boolean
}

/** Options of {@link Chain.passages}. */
export type PassagesOptions = Omit<ReadInputsOptions, 'as' | 'cwd' | 'root' | 'stdin'>

const { as: _as, cwd: _cwd, root: _root, stdin: _stdin, ...passagesOptionTypes } = readInputsOptionTypes

/** Types of {@link WindowOptions}. */
export const windowOptionTypes: OptionTable<WindowOptions> = { partial: is.flag }

/** Types of {@link RunOptions}. */
export const runOptionTypes: OptionTable<RunOptions> = {
  onError: is.oneOf(['throw', 'skip', 'keep']),
  signal: is.abortSignal,
  onProgress: is.callback,
}

/** Run options with which failed rows are handed out. */
type Keep = RunOptions & { readonly onError: 'keep' }

/** The methods of a {@link DataCollection} that are no operators. */
export class Chain<T> implements AsyncIterable<T> {
  readonly #source: Source<unknown>
  readonly #stages: readonly Stage[]
  readonly #listeners: readonly ((progress: Progress) => void)[]

  /** @internal Made by {@link dc} and {@link glob}. */
  constructor(
    source: Source<unknown>,
    stages: readonly Stage[] = [],
    listeners: readonly ((progress: Progress) => void)[] = [],
  ) {
    this.#source = source
    this.#stages = stages
    this.#listeners = listeners
  }

  /** Each value becomes what `fn` makes of it; promises are waited for, several at a time. */
  map<U>(fn: ((value: T) => U | Promise<U>) | Operator<T, U>, options?: MapOptions): DataCollection<U> {
    return this.#then(callStage(asOperator('map', fn, options)))
  }

  /** Keeps the values for which `fn` gives something true. */
  filter<U extends T>(fn: (value: T) => value is U): DataCollection<U>
  filter(fn: ((value: T) => unknown) | Operator<T, unknown>, options?: MapOptions): DataCollection<T>
  filter(fn: ((value: T) => unknown) | Operator<T, unknown>, options?: MapOptions): unknown {
    return this.#then(filterStage(asOperator('filter', fn, options)))
  }

  /** A value for each element of the list that `fn` gives; the list may be lazy, and endless. */
  flatMap<U>(
    fn: ((value: T) => Listing<U> | Promise<Listing<U>>) | Operator<T, Listing<U>>,
    options?: MapOptions,
  ): DataCollection<U> {
    return this.#then(callStage(asOperator('flatMap', fn, options)), flattenStage('flatMap'))
  }

  /**
   * The passages of the text files at these paths, as `readInputs` has them.
   *
   * @example
   * ```ts
   * const passages = glob('docs/**' + '/*.md').passages()
   * for await (const { id, text } of passages) …                 // docs/guide.md#L3-L9
   * const vectors = await passages.map(({ input }) => input).textEmbedding.sentence().toList()
   * ```
   *
   * @remarks
   * A file that cannot be read is a row that fails: the run's `onError` says what then. Passages are as long as the `embedder` among the
   * options reads; without one, 3 bytes count as a token.
   */
  passages(this: Chain<string>, options: PassagesOptions = {}): DataCollection<ReadInput> {
    checkOptions<PassagesOptions>('passages', options, passagesOptionTypes)
    return this.flatMap(async function* passages(path: string) {
      const { readInputs, refuseModality } = await import('../embed/index.ts')
      for await (const input of readInputs([path], options)) {
        const words = { name: 'passages', modality: 'text' } as const
        const error = input.error ?? refuseModality(words, input, 'Leave pictures out of the pattern.')
        if (error) throw error
        yield input
      }
    })
  }

  /** Arrays of `size` values, the last one shorter. */
  batch(size: number): DataCollection<T[]> {
    return this.#then(windowStage('batch', size, size, true))
  }

  /**
   * Arrays of `size` values, one beginning at every `step`-th value (default 1). At the end they get shorter, as with
   * Towhee, RxJS's `bufferCount` and tf.data: `[1, 2, 3]` with size 2 gives `[1, 2], [2, 3], [3]`.
   */
  window(size: number, step = 1, options: WindowOptions = {}): DataCollection<T[]> {
    checkOptions<WindowOptions>('window', options, windowOptionTypes)
    const { partial = true } = options
    return this.#then(windowStage('window', size, step, partial))
  }

  /** The first `count` values; then the source is left. */
  take(count: number): DataCollection<T> {
    return this.#then(takeStage(count))
  }

  /** Listens to the progress of every run of the collection and of those made from it. */
  on(_event: 'progress', listener: (progress: Progress) => void): DataCollection<T> {
    return new Chain(this.#source, this.#stages, [...this.#listeners, listener]) as DataCollection<T>
  }

  /** All values in an array. */
  toList(options: Keep): Promise<(T | FailedRow)[]>
  toList(options?: RunOptions): Promise<T[]>
  async toList(options: RunOptions = {}): Promise<(T | FailedRow)[]> {
    const list: T[] = []
    for await (const { items } of this.#run(options)) for (const item of items) list.push(item as T)
    return list
  }

  /** The values one by one, as they become ready; memory is bounded. Leaving the loop ends the run. */
  stream(options: Keep): AsyncGenerator<T | FailedRow, void, undefined>
  stream(options?: RunOptions): AsyncGenerator<T, void, undefined>
  async *stream(options: RunOptions = {}): AsyncGenerator<T | FailedRow, void, undefined> {
    for await (const { items } of this.#run(options)) {
      for (const item of items) {
        yield item as T
        if (options.signal?.aborted) break
      }
    }
  }

  /** As {@link stream}. */
  [Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    return this.stream()
  }

  #then<U>(...stages: Stage[]): DataCollection<U> {
    return new Chain(this.#source, [...this.#stages, ...stages], this.#listeners) as DataCollection<U>
  }

  async *#run(options: RunOptions) {
    checkOptions<RunOptions>('a run', options, runOptionTypes)
    const { execute } = await import('./engine.ts')
    yield* execute(this.#source, this.#stages, new OpenForRun(), withListeners(options, this.#listeners))
  }
}

/** Values that `flatMap` takes apart into rows. */
export type Listing<T> = Iterable<T> | AsyncIterable<T>

/** A function as an operator, for one column. */
export function asOperator<In, Out>(
  name: string,
  fn: ((value: In) => Out | Promise<Out>) | Operator<In, Out>,
  options: MapOptions = {},
): Operator<In, Out> {
  checkOptions<MapOptions>(name, options, { concurrency: is.count(1) })
  const { concurrency } = options
  if (typeof fn === 'function') {
    const label = fn.name ? `${name}: ${fn.name}` : name
    return { name: label, each: fn, ...(concurrency !== undefined && { concurrency }) }
  }
  if (typeof fn === 'object' && fn !== null && ('each' in fn || 'open' in fn)) {
    return concurrency === undefined ? fn : { ...fn, concurrency }
  }
  throw new PipiloError('OPTION_INVALID', `${name} takes a function or an operator, not ${typeof fn}.`)
}

/** Options whose `onProgress` tells all listeners. */
export function withListeners(
  options: RunOptions,
  listeners: readonly ((progress: Progress) => void)[],
): RunOptions {
  if (listeners.length === 0) return options
  return {
    ...options,
    onProgress(progress) {
      options.onProgress?.(progress)
      for (const listener of listeners) listener(progress)
    },
  }
}

reserveNames(Object.getOwnPropertyNames(Chain.prototype))

// A name that is no method is looked up among the operators, and said to be unknown where there is none.
Object.setPrototypeOf(
  Chain.prototype,
  new Proxy(Object.prototype, {
    get(target, property, chain: Chain<unknown>) {
      if (property in target) return Reflect.get(target, property, chain)
      return lookUpProperty('', property, (factory) => (...options: unknown[]) => {
        const make = factory as (...options: unknown[]) => Operator<unknown, unknown>
        return chain.map(make(...options))
      })
    },
  }),
)

/**
 * A collection of values, to be chained with operators.
 *
 * @example
 * ```ts
 * const vectors = await dc(['A towhee sings.', 'It rains.']).textEmbedding.sentence().toList()
 *
 * for await (const vector of dc(lines).filter((line) => line !== '').textEmbedding.sentence()) …
 * ```
 *
 * @param source an array, an iterable or an asynchronous iterable. It is read only as far as the stages keep up, and
 *   `return()` is called if it is left early.
 * @throws PipiloError `INPUT_INVALID` if it is none of these. A run throws the error of the first row that failed,
 *   which names the row and the stage, unless `onError` says otherwise.
 */
export function dc<T>(source: Source<T>): DataCollection<T> {
  const either = source as Partial<Iterable<T> & AsyncIterable<T>> | null | undefined
  if (typeof source === 'string' || !(either?.[Symbol.asyncIterator] || either?.[Symbol.iterator]))
    throw new PipiloError('INPUT_INVALID', `dc takes a list of values, not one of type ${typeof source}.`, {
      hint: 'Put it into an array: dc([value]).',
    })
  return new Chain(source) as unknown as DataCollection<T>
}
