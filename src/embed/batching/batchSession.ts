// A session that gives a row for each unit of a batch, however many its graph takes at a time.
import { PipiloError } from '../../base/index.ts'
import type { Dimension, ValueInfo } from '../../graph/index.ts'
import type { Session } from '../../runtime/index.ts'
import type { Tensor } from '../../tensor/index.ts'
import type { Preparation, Unit } from './preparation.ts'
import { hasRows } from './rows.ts'

/** The row of a result that belongs to a unit, of so many that went in. */
export interface Result {
  readonly result: Tensor
  readonly unit: Unit
  readonly row: number
  readonly count: number
}

type Batches = Pick<Preparation<never>, 'feeds' | 'limits' | 'hasRows' | 'packs'>

/** Runs batches of any size on a session. */
export class BatchSession {
  readonly #session: Session
  readonly #feeds: Batches['feeds']
  readonly #together: Batches['limits']['together']
  /** Rows that the graph takes at a time; undefined where it takes any number. */
  #rows: number | undefined
  /** Settles when it is known whether as many rows come out as go in, and whether they are what they are alone where that is not sure. */
  #tried: Promise<void> | undefined
  /** Settles when that is known of rows with padding behind them. */
  #padded: Promise<void> | undefined
  /** Rows are compared with what they are alone. */
  readonly #compares: boolean

  constructor(session: Session, batches: Batches) {
    this.#session = session
    this.#feeds = (batch) => batches.feeds(batch)
    this.#together = batches.limits.together
    const inputs = session.inputs.filter(({ name }) => batches.hasRows?.(name) ?? true)
    const fixed = inputs.map((input) => firstSize(input)).find((size) => typeof size === 'number')
    this.#rows = fixed ?? (this.#together === 'none' ? 1 : undefined)
    this.#compares = batches.packs || this.#together === 'tried' || this.#together === 'equal'
    if (!this.#compares && keepsRows(inputs, session.outputs[0])) this.#tried = Promise.resolve()
  }

  /** The results of a batch, in its order. */
  async run(batch: readonly Unit[], signal: AbortSignal): Promise<Result[]> {
    if (this.#together !== 'equal') return this.#run(batch, signal)
    const groups = new Map<number, Unit[]>()
    for (const unit of batch) groups.set(unit.size, [...(groups.get(unit.size) ?? []), unit])
    const results = new Map<Unit, Result>()
    for (const group of groups.values()) {
      for (const result of await this.#run(group, signal)) results.set(result.unit, result)
    }
    return batch.map((unit) => results.get(unit)!)
  }

  /**
   * The results of a batch: of all of it at once, or of as many rows at a time as the graph takes. Where fewer or more rows come out
   * than went in, or the runtime fails with several, they run one by one from then on.
   */
  async #run(batch: readonly Unit[], signal: AbortSignal): Promise<Result[]> {
    if (this.#rows === undefined && batch.length > 1) {
      await this.#find(batch)
    }
    if (this.#rows === undefined) {
      const result = await this.#fetch(batch, signal).catch((error) => {
        if (batch.length === 1 || !(error instanceof PipiloError) || error.code !== 'RUNTIME') throw error
        return undefined
      })
      if (result && (batch.length === 1 || hasRows(result, batch.length))) {
        return batch.map((unit, row) => ({ result, unit, row, count: batch.length }))
      }
    }
    const results: Result[] = []
    const count = this.#rows ?? 1
    for (let from = 0; from < batch.length; from += count) {
      const part = batch.slice(from, from + count)
      // Rows that are missing are filled with the first one, and their results dropped.
      const full = Array.from({ length: count }, (_, i) => part[i] ?? part[0]!)
      const result = await this.#fetch(full, signal)
      for (const [row, unit] of part.entries()) results.push({ result, unit, row, count })
    }
    this.#rows = count
    return results
  }

  /** Finds out how many rows the graph takes, once for rows of one length and once for rows with padding. */
  async #find(batch: readonly Unit[]): Promise<void> {
    const ends = endsOf(batch)
    const isPadded = this.#compares && batch[ends[0]]!.size !== batch[ends[1]]!.size
    if (isPadded) this.#padded ??= this.#compare(batch, ends)
    this.#tried ??= this.#padded ?? (this.#compares ? this.#compare(batch, ends) : this.#try(batch[0]!))
    await this.#tried
    if (isPadded) await this.#padded
  }

  /**
   * Finds out whether one row gives one row, of a graph that does not say it: a fixed number may happen to be that of a batch. No signal ends it:
   * other calls wait for it, too.
   */
  async #try(unit: Unit): Promise<void> {
    try {
      if (!hasRows(await this.#fetch([unit]), 1)) this.#rows = 1
    } catch (error) {
      this.#tried = undefined
      throw error
    }
  }

  /** Finds out whether two of several rows are what they are alone, of a graph that nobody knows. */
  async #compare(batch: readonly Unit[], ends: readonly number[]): Promise<void> {
    try {
      const together = await this.#fetch(batch)
      const alone = await Promise.all(ends.map((at) => this.#fetch([batch[at]!])))
      const same = hasRows(together, batch.length) && ends.every((at, i) => isRow(together, at, alone[i]!))
      if (!same) this.#rows = 1
    } catch (error) {
      this.#tried = undefined
      this.#padded = undefined
      // One of the units may be the reason: {@link #run} finds out.
      if (!(error instanceof PipiloError) || error.code !== 'RUNTIME') throw error
    }
  }

  async #fetch(batch: readonly Unit[], signal?: AbortSignal): Promise<Tensor> {
    const options = signal ? { signal } : {}
    const { embedding } = await this.#session.run(this.#feeds(batch), ['embedding'], options)
    return embedding!
  }
}

/** Places of the shortest and the longest unit of a batch, or of its ends where all are as long. */
function endsOf(batch: readonly Unit[]): readonly [number, number] {
  let [shortest, longest] = [0, batch.length - 1]
  for (const [i, { size }] of batch.entries()) {
    if (size < batch[shortest]!.size) shortest = i
    if (size > batch[longest]!.size) longest = i
  }
  return [shortest, longest]
}

/** Share of the largest number of a row that rounding may make of a difference: halves have 11 bits. */
const ROUNDING = 1e-3

/** True if a result's row is, but for rounding and what stands for padding, what one input alone gives. */
function isRow({ data, shape: [count = 1] }: Tensor, row: number, { data: alone, shape }: Tensor): boolean {
  const stride = data.length / count
  if (shape[0] !== 1 || alone.length > stride) return false
  const part = (data as Float32Array).subarray(row * stride, row * stride + alone.length)
  let [difference, largest] = [0, 0]
  for (const [i, value] of (alone as Float32Array).entries()) {
    difference = Math.max(difference, Math.abs(value - part[i]!))
    largest = Math.max(largest, Math.abs(value))
  }
  return difference <= ROUNDING * largest
}

/** True if a graph says that as many rows come out as go in. */
function keepsRows(inputs: readonly ValueInfo[], output: ValueInfo | undefined): boolean {
  const out = firstSize(output)
  return out !== undefined && out !== '' && inputs.every((input) => firstSize(input) === out)
}

function firstSize(value: ValueInfo | undefined): Dimension | undefined {
  return value?.type?.kind === 'tensor' ? value.type.shape?.[0] : undefined
}
