// Runs pipes: on one row, on batches, on streams.
import { checkOptions, PipiloError } from '../base/index.ts'
import { runOptionTypes, withListeners } from './collection.ts'
import type { CallResult, Yield } from './columns.ts'
import { FailedRow } from './failedRow.ts'
import { OpenUntilDisposed } from './opener.ts'
import { callStage, type Stage } from './stages.ts'
import type { Progress, RunOptions, Source } from './types.ts'

/** With `onError: 'keep'`: a row, or what there was of it when it failed, with its error. */
export type KeptRow<Row> =
  | (Row & { readonly error?: undefined })
  | (Partial<Row> & { readonly error: PipiloError })

/** A row inside a pipe: the values of the columns, each at its column's place. */
export type Slots = unknown[]

/** Columns and stages of a pipe, which {@link makePipe} runs. */
export interface Plan {
  readonly inputs: readonly string[]
  /** The place of each column; the inputs come first. */
  readonly places: ReadonlyMap<string, number>
  readonly stages: readonly Stage[]
  readonly outputs: readonly string[]
  readonly yields: Yield
}

/**
 * A finished pipe. It opens its models at the first row and keeps them for the next call; they do not keep the process
 * alive, and `dispose` frees them.
 */
export interface Pipe<Args extends unknown[], In, Row, Y extends Yield = 'one'> {
  /**
   * Runs one row and gives an object by column; `undefined` if a filter took it out; an array if the pipe makes several
   * rows of one.
   */
  (...values: Args): Promise<CallResult<Y, Row>>
  /** Runs many rows, each the value of the one input column, or an array of several; memory is bounded. */
  stream(
    source: Source<In>,
    options: RunOptions & { onError: 'keep' },
  ): AsyncGenerator<KeptRow<Row>, void, undefined>
  stream(source: Source<In>, options?: RunOptions): AsyncGenerator<Row, void, undefined>
  /** As `stream`, into an array. */
  batch(source: Source<In>, options: RunOptions & { onError: 'keep' }): Promise<KeptRow<Row>[]>
  batch(source: Source<In>, options?: RunOptions): Promise<Row[]>
  /** Listens to the progress of every run; gives the pipe back. */
  on(event: 'progress', listener: (progress: Progress) => void): this
  /** Frees the models. Later calls open them again. */
  dispose(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** The functions of a plan. */
export function makePipe<Args extends unknown[], In, Row, Y extends Yield>(
  plan: Plan,
): Pipe<Args, In, Row, Y> {
  const opener = new OpenUntilDisposed()
  const listeners: ((progress: Progress) => void)[] = []
  const stages = [callStage({ name: 'input', each: enter(plan) }), ...plan.stages]
  const leave = leaving<Row>(plan)

  async function* stream(source: Source<In>, options: RunOptions = {}): AsyncGenerator<Row, void, undefined> {
    checkOptions<RunOptions>('a run', options, runOptionTypes)
    const { execute } = await import('./engine.ts')
    for await (const { items } of execute(source, stages, opener, withListeners(options, listeners))) {
      for (const item of items) {
        yield leave(item)
        if (options.signal?.aborted) break
      }
    }
  }
  const batch = async (source: Source<In>, options?: RunOptions): Promise<Row[]> => {
    const rows: Row[] = []
    for await (const row of stream(source, options)) rows.push(row)
    return rows
  }
  const one = async (...values: Args): Promise<Row[] | Row | undefined> => {
    const row = plan.inputs.length === 1 && values.length === 1 ? values[0] : values
    const rows = await batch([row as In])
    return plan.yields === 'many' ? rows : rows[0]
  }
  const pipe = Object.assign(one, {
    stream,
    batch,
    on(_event: 'progress', listener: (progress: Progress) => void) {
      listeners.push(listener)
      return pipe
    },
    dispose: () => opener.dispose(),
    [Symbol.asyncDispose]: () => opener.dispose(),
  })
  return pipe as unknown as Pipe<Args, In, Row, Y>
}

/** From what a caller gives to a row. */
function enter({ inputs, places }: Plan): (value: unknown) => Slots {
  const width = places.size
  return (value) => {
    const row: Slots = new Array(width).fill(undefined)
    if (inputs.length === 1) {
      row[0] = value
      return row
    }
    if (!Array.isArray(value) || value.length !== inputs.length)
      throw new PipiloError('INPUT_INVALID', `A row must be an array of ${inputs.length} values.`, {
        hint: `The columns are ${inputs.join(', ')}.`,
      })
    for (let i = 0; i < inputs.length; i++) row[i] = value[i]
    return row
  }
}

/** From a row to an object by column. */
function leaving<Row>({ outputs, places }: Plan): (item: unknown) => Row {
  const from = outputs.map((name) => places.get(name)!)
  const object = (slots: Slots): Record<string, unknown> => {
    const row: Record<string, unknown> = {}
    for (let i = 0; i < outputs.length; i++) row[outputs[i]!] = slots[from[i]!]
    return row
  }
  return (item) => {
    if (!(item instanceof FailedRow)) return object(item as Slots) as Row
    // A row that failed at the entrance has no columns yet.
    const slots = item.stage === 'input' ? [] : (item.value as Slots)
    return { ...object(slots), error: item.error } as Row
  }
}
