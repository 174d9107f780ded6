// Builds pipes: functions over named columns, chained, checked when they are built.
import { checkOptions, closest, PipiloError } from '../base/index.ts'
import {
  asOperator,
  type Listing,
  type MapOptions,
  type WindowOptions,
  windowOptionTypes,
} from './collection.ts'
import type {
  Arguments,
  Columns,
  InputArguments,
  InputRow,
  Names,
  Result,
  Results,
  RowValue,
  Simplify,
  Undeclared,
  Windowed,
  WithResult,
  Yield,
} from './columns.ts'
import type { Operator } from './operator.ts'
import { makePipe, type Pipe, type Slots } from './runPipe.ts'
import { callStage, filterStage, flattenStage, type Stage, takeStage, windowStage } from './stages.ts'

/** Makes a stage, once it is known which columns are still wanted after it. */
interface Step {
  readonly reads: readonly string[]
  readonly writes: readonly string[]
  readonly stages: (places: ReadonlyMap<string, number>, wanted: ReadonlySet<string>) => Stage[]
}

/** A pipe being put together, see {@link pipe}. `C` are its columns at this point. */
export class PipeBuilder<Inputs extends readonly string[], In, C, Y extends Yield> {
  readonly #inputs: Inputs
  readonly #columns: ReadonlySet<string>
  readonly #steps: readonly Step[]
  readonly #yields: Yield

  /** @internal Made by {@link pipe}. */
  constructor(inputs: Inputs, columns: ReadonlySet<string>, steps: readonly Step[], yields: Yield) {
    this.#inputs = inputs
    this.#columns = columns
    this.#steps = steps
    this.#yields = yields
  }

  /**
   * Puts what `fn` makes of the columns `input` into the columns `output`, new or old. Several columns are several
   * arguments, and an array of results; promises are waited for. An operator over several columns gets an array of them.
   *
   * @example
   * ```ts
   * pipe.input('a', 'b').map(['a', 'b'], ['sum', 'product'], (a: number, b: number) => [a + b, a * b])
   * ```
   */
  map<const I extends Names<C>, const O extends string | readonly string[], R extends Result<O>>(
    input: I,
    output: O,
    operator: Operator<RowValue<C, I>, R>,
    options?: MapOptions,
  ): PipeBuilder<Inputs, In, WithResult<C, O, R>, Y>
  map<const I extends Names<C>, const O extends readonly string[], R extends Results<O>>(
    input: I,
    output: O,
    fn: (...values: Arguments<C, I>) => readonly [...R] | Promise<readonly [...R]>,
    options?: MapOptions,
  ): PipeBuilder<Inputs, In, WithResult<C, O, R>, Y>
  map<const I extends Names<C>, const O extends string, R>(
    input: I,
    output: O,
    fn: (...values: Arguments<C, I>) => R | Promise<R>,
    options?: MapOptions,
  ): PipeBuilder<Inputs, In, WithResult<C, O, R>, Y>
  map(
    input: ColumnNames,
    output: ColumnNames,
    fn: AnyFunction | Operator<never, unknown>,
    options?: MapOptions,
  ): unknown {
    const outputs = list(output)
    return this.#add({ reads: list(input), writes: outputs }, (places, wanted) => {
      const [operator, read] = call('map', input, fn, places, options)
      const into = placesOf(outputs, places)
      const free = unwanted(places, wanted)
      return [callStage(operator, read, (item, result) => assign(item as Slots, output, into, result, free))]
    })
  }

  /** Keeps the rows for which `fn` of the columns `input` gives something true. */
  filter<const I extends Names<C>>(
    input: I,
    fn: Operator<RowValue<C, I>, unknown>,
    options?: MapOptions,
  ): PipeBuilder<Inputs, In, C, Fewer<Y>>
  filter<const I extends Names<C>>(
    input: I,
    fn: (...values: Arguments<C, I>) => unknown,
    options?: MapOptions,
  ): PipeBuilder<Inputs, In, C, Fewer<Y>>
  filter(input: ColumnNames, fn: AnyFunction | Operator<never, unknown>, options?: MapOptions): unknown {
    const yields = this.#yields === 'many' ? 'many' : 'optional'
    return this.#add(
      { reads: list(input), writes: [] },
      (places) => [filterStage(...call('filter', input, fn, places, options))],
      yields,
    )
  }

  /** A row for each element of the list that `fn` gives, in the columns `output`; the other columns are repeated. */
  flatMap<const I extends Names<C>, const O extends string | readonly string[], R extends Result<O>>(
    input: I,
    output: O,
    operator: Operator<RowValue<C, I>, Listing<R>>,
    options?: MapOptions,
  ): PipeBuilder<Inputs, In, WithResult<C, O, R>, 'many'>
  flatMap<const I extends Names<C>, const O extends readonly string[], R extends Results<O>>(
    input: I,
    output: O,
    fn: (...values: Arguments<C, I>) => Listing<readonly [...R]> | Promise<Listing<readonly [...R]>>,
    options?: MapOptions,
  ): PipeBuilder<Inputs, In, WithResult<C, O, R>, 'many'>
  flatMap<const I extends Names<C>, const O extends string, R>(
    input: I,
    output: O,
    fn: (...values: Arguments<C, I>) => Listing<R> | Promise<Listing<R>>,
    options?: MapOptions,
  ): PipeBuilder<Inputs, In, WithResult<C, O, R>, 'many'>
  flatMap(
    input: ColumnNames,
    output: ColumnNames,
    fn: AnyFunction | Operator<never, unknown>,
    options?: MapOptions,
  ): unknown {
    const outputs = list(output)
    return this.#add(
      { reads: list(input), writes: outputs },
      (places, wanted) => {
        const [operator, read] = call('flatMap', input, fn, places, options)
        const into = placesOf(outputs, places)
        const free = unwanted(places, wanted)
        // The list waits in a place behind the columns, until it is taken apart.
        const listed = places.size
        const hold = (item: unknown, result: unknown): Slots => {
          const row = item as Slots
          row[listed] = result
          return row
        }
        return [
          callStage(operator, read, hold),
          flattenStage(
            'flatMap',
            (item) => (item as Slots)[listed],
            (item, element) => assign((item as Slots).slice(0, listed), output, into, element, free),
          ),
        ]
      },
      'many',
    )
  }

  /**
   * Windows of `size` rows, one beginning at every `step`-th row (default 1): every column becomes the array of the
   * window's values. The end cuts the last ones short, unless `partial` is false.
   */
  window(size: number, step = 1, options: WindowOptions = {}): PipeBuilder<Inputs, In, Windowed<C>, 'many'> {
    checkOptions<WindowOptions>('window', options, windowOptionTypes)
    const { partial = true } = options
    const join = (rows: unknown[]): Slots => {
      const slots = rows as Slots[]
      return slots[0]!.map((_, place) => slots.map((row) => row[place]))
    }
    return this.#add(
      { reads: [], writes: [] },
      () => [windowStage('window', size, step, partial, join)],
      'many',
    ) as unknown as PipeBuilder<Inputs, In, Windowed<C>, 'many'>
  }

  /** The first `count` rows of a stream; then its source is left. */
  take(count: number): PipeBuilder<Inputs, In, C, Fewer<Y>> {
    const yields = this.#yields === 'many' ? 'many' : 'optional'
    return this.#add({ reads: [], writes: [] }, () => [takeStage(count)], yields)
  }

  /** The finished pipe, which gives the named columns. */
  output<const O extends readonly (keyof C & string)[]>(
    ...columns: O
  ): Pipe<InputArguments<In, Inputs>, InputRow<In, Inputs>, Simplify<Pick<C, O[number]>>, Y> {
    for (const name of columns) this.#check(name)
    const places = new Map([...this.#columns].map((name, place) => [name, place]))
    const wanted = new Set<string>(columns)
    const stages: Stage[] = []
    // Backwards, so that each step knows which columns are wanted after it and can let go of the others.
    for (const step of this.#steps.toReversed()) {
      stages.unshift(...step.stages(places, new Set(wanted)))
      for (const name of step.writes) wanted.delete(name)
      for (const name of step.reads) wanted.add(name)
    }
    return makePipe({ inputs: this.#inputs, places, stages, outputs: columns, yields: this.#yields })
  }

  #check(name: string): void {
    if (this.#columns.has(name)) return
    const near = closest(name, this.#columns)
    throw new PipiloError('INPUT_INVALID', `There is no column '${name}' at this point of the pipe.`, {
      input: name,
      hint: near.length ? `Closest: ${near.join(', ')}.` : `Columns: ${[...this.#columns].join(', ')}.`,
    })
  }

  #add<C2, Y2 extends Yield>(
    columns: Pick<Step, 'reads' | 'writes'>,
    stages: Step['stages'],
    yields: Yield = this.#yields,
  ): PipeBuilder<Inputs, In, C2, Y2> {
    for (const name of columns.reads) this.#check(name)
    const all = new Set([...this.#columns, ...columns.writes])
    return new PipeBuilder(this.#inputs, all, [...this.#steps, { ...columns, stages }], yields)
  }
}

type Fewer<Y extends Yield> = Y extends 'many' ? 'many' : 'optional'
type ColumnNames = string | readonly string[]
type AnyFunction = (...values: never[]) => unknown

const list = (names: ColumnNames): readonly string[] => (typeof names === 'string' ? [names] : names)

function placesOf(names: readonly string[], places: ReadonlyMap<string, number>): number[] {
  return names.map((name) => places.get(name)!)
}

/** Columns that nobody reads any more: an image that has become a vector need not be kept until the row's end. */
function unwanted(places: ReadonlyMap<string, number>, wanted: ReadonlySet<string>): number[] {
  return [...places].filter(([name]) => !wanted.has(name)).map(([, place]) => place)
}

/** The operator for a function over columns, and how its argument is read from a row. */
function call(
  name: string,
  input: ColumnNames,
  fn: AnyFunction | Operator<never, unknown>,
  places: ReadonlyMap<string, number>,
  options: MapOptions | undefined,
): [Operator<never, unknown>, (item: unknown) => unknown] {
  const from = placesOf(list(input), places)
  const one = from[0]!
  if (typeof input === 'string')
    return [asOperator(name, fn as never, options), (item) => (item as Slots)[one]]
  const several = (item: unknown): unknown => from.map((place) => (item as Slots)[place])
  if (typeof fn !== 'function') return [asOperator(name, fn, options), several]
  const spread = (values: unknown): unknown => fn(...(values as never[]))
  Object.defineProperty(spread, 'name', { value: fn.name })
  return [asOperator(name, spread, options), several]
}

/** Writes a result into a row's columns. */
function assign(
  row: Slots,
  output: ColumnNames,
  into: readonly number[],
  result: unknown,
  free: readonly number[],
): Slots {
  if (typeof output === 'string') row[into[0]!] = result
  else {
    if (!Array.isArray(result) || result.length !== into.length)
      throw new PipiloError(
        'INPUT_INVALID',
        `A function for the columns ${output.join(', ')} must give an array of ${into.length} values.`,
      )
    for (let i = 0; i < into.length; i++) row[into[i]!] = result[i]
  }
  for (const place of free) row[place] = undefined
  return row
}

/**
 * Pipelines over named columns, checked by the compiler.
 *
 * @example
 * ```ts
 * const index = pipe.input<{ path: string }>('path')
 *   .map('path', 'image', ops.imageDecode())
 *   .map('image', 'vector', ops.imageEmbedding.timm())
 *   .output('path', 'vector')
 *
 * const { path, vector } = await index('towhee.jpg')            // one row
 * for await (const row of index.stream(glob('*.jpg'))) …        // many
 * ```
 *
 * @remarks
 * `input('path')` without a type takes whatever it is given: columns made from it are checked all the same. The types of
 * several columns are declared with their order: `pipe.input<{ a: number; b: string }, ['a', 'b']>('a', 'b')`.
 */
export const pipe = { input }

function input<const Inputs extends readonly [string, ...string[]]>(
  ...columns: Inputs
): PipeBuilder<Inputs, Undeclared<Inputs>, Undeclared<Inputs>, 'one'>
function input<
  In extends Columns,
  const Inputs extends readonly (keyof In & string)[] = readonly [keyof In & string],
>(...columns: Inputs): PipeBuilder<Inputs, In, In, 'one'>
function input(...columns: string[]): PipeBuilder<readonly string[], Columns, Columns, 'one'> {
  const names = new Set(columns)
  if (columns.length === 0 || names.size < columns.length)
    throw new PipiloError('OPTION_INVALID', 'A pipe needs input columns of different names.', {
      hint: "For example pipe.input('path').",
    })
  return new PipeBuilder(columns, names, [], 'one')
}
