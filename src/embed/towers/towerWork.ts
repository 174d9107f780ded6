// Runs the two towers of a model side by side, with results in the order of the inputs.
import { abortError, onAbort, orAborted, type PipiloError, Queue, throwIfAborted } from '../../base/index.ts'
import type { TowerModality } from '../../models/index.ts'
import type { Session } from '../../runtime/index.ts'
import type { Preparation } from '../batching/preparation.ts'
import { type Outcome, Runner, type RunOptions, type Work } from '../batching/run.ts'
import type { AnyInput } from '../types.ts'
import { type TowerItem, TowerPreparation, towerOf } from './towerItem.ts'

/** A tower that is ready to run. */
export interface OpenTower {
  readonly session: Session
  readonly preparation: Preparation
}

/** Inputs that wait for their tower: a few windows of texts, a few batches of pictures. */
const WAITING = { text: 2048, image: 16 } as const

/** Results that wait for those of the other tower before them. */
const HELD = 2048

/**
 * The work of two towers side by side: inputs go to the tower that they are for, and results come in the order of the inputs. A tower is
 * opened by the first input for it: whoever asks for texts alone never loads the network for pictures.
 */
export class TowerWork implements Work {
  readonly #width: number | undefined
  readonly #name: string
  readonly #open: (tower: TowerModality) => Promise<OpenTower>
  readonly #opened = new Map<TowerModality, Promise<{ session: Session; runner: Runner<TowerItem> }>>()
  /** The first tower that was opened. */
  #seen: Runner<TowerItem> | undefined
  #disposed = false

  /** @param width length of the vectors of both towers, where it is known */
  constructor(name: string, width: number | undefined, open: (tower: TowerModality) => Promise<OpenTower>) {
    this.#name = name
    this.#width = width
    this.#open = open
  }

  get dimensions(): number | undefined {
    return this.#width ?? this.#seen?.dimensions
  }

  async *run<I extends AnyInput>(
    inputs: AsyncIterable<I> | Iterable<I>,
    options: RunOptions,
  ): AsyncGenerator<Outcome<I>[]> {
    const stop = new AbortController()
    throwIfAborted(options.signal)
    const unfollow = onAbort(options.signal, () => stop.abort(abortError(options.signal)))
    const lanes = { text: new Queue<TowerItem>(WAITING.text), image: new Queue<TowerItem>(WAITING.image) }
    const failed = new Queue<Outcome<I>>(HELD)
    const all = [lanes.text, lanes.image, failed]
    const through = (tower: TowerModality) =>
      new Held(this.#through<I>(tower, lanes[tower], { ...options, signal: stop.signal }))
    const streams = [through('text'), through('image'), new Held(whole(failed))]
    const sorting = this.#sort(inputs, lanes, failed, options, stop.signal)
    sorting.then(
      () => all.map((lane) => lane.end()),
      (error: unknown) => all.map((lane) => lane.fail(error)),
    )
    let next = 0
    try {
      for (;;) {
        const ready: Outcome<I>[] = []
        for (let found = take(streams, next); found; found = take(streams, next)) {
          ready.push(found)
          next++
        }
        if (ready.length > 0) yield ready
        else if (streams.every(({ ended }) => ended)) break
        else {
          const pulls = streams.flatMap((stream) => stream.pull(HELD) ?? [])
          await orAborted(stop.signal, Promise.race(pulls))
        }
      }
    } finally {
      unfollow()
      stop.abort(abortError())
      for (const lane of all) lane.stop()
      for (const stream of streams) stream.leave()
    }
  }

  async dispose(): Promise<void> {
    this.#disposed = true
    const opened = [...this.#opened.values()]
    await Promise.all(opened.map((tower) => tower.then(({ session }) => session.dispose()).catch(() => {})))
  }

  async *#through<I extends AnyInput>(
    tower: TowerModality,
    lane: Queue<TowerItem>,
    options: RunOptions,
  ): AsyncGenerator<Outcome<I>[]> {
    if (!(await lane.begun())) return
    const { runner } = await this.#tower(tower)
    for await (const outcomes of runner.run(lane, options)) {
      yield outcomes.map(({ input: { index, given }, ...rest }) => ({ ...rest, index, input: given as I }))
    }
  }

  /** Puts each input into the lane of its tower, as long as both have room. */
  async #sort<I extends AnyInput>(
    inputs: AsyncIterable<I> | Iterable<I>,
    lanes: Readonly<Record<TowerModality, Queue<TowerItem>>>,
    failed: Queue<Outcome<I>>,
    { skip, onDone }: RunOptions,
    signal: AbortSignal,
  ): Promise<void> {
    let index = 0
    for await (const given of inputs) {
      if (signal.aborted) return
      try {
        const { tower, item } = towerOf(given, index, this.#name)
        lanes[tower].put({ items: [item], rows: [index] })
        const room = lanes[tower].room()
        if (room) await room
      } catch (error) {
        if (!skip) throw error
        onDone?.(1)
        const outcome = { index, input: given, rows: [], error: error as PipiloError }
        failed.put({ items: [outcome], rows: [index] })
        await failed.room()
      }
      index++
    }
  }

  #tower(tower: TowerModality): Promise<{ session: Session; runner: Runner<TowerItem> }> {
    const before = this.#opened.get(tower)
    if (before) return before
    const opening = this.#open(tower).then(async ({ session, preparation }) => {
      // Disposed while it was opened: nobody else would free it.
      if (this.#disposed) await session.dispose()
      const runner = new Runner(session, new TowerPreparation(preparation), {
        width: this.dimensions,
        layer: `The ${tower} tower of ${this.#name}`,
      })
      this.#seen ??= runner
      return { session, runner }
    })
    this.#opened.set(tower, opening)
    // An opening that failed is tried again by the next call.
    opening.catch(() => this.#opened.delete(tower))
    return opening
  }
}

/** All that is there at a time. */
async function* whole<T>(queue: Queue<T>): AsyncGenerator<T[]> {
  for (let chunk = await queue.take(HELD); chunk; chunk = await queue.take(HELD)) yield chunk.items
}

/** Outcomes that were taken from where they are made and not handed out yet, in order. */
class Held<I extends AnyInput> {
  readonly #running: AsyncGenerator<Outcome<I>[]>
  readonly #outcomes: Outcome<I>[] = []
  #pulling: Promise<void> | undefined
  ended = false

  constructor(running: AsyncGenerator<Outcome<I>[]>) {
    this.#running = running
  }

  /** The outcome of the input at this index, if that is the next one. */
  take(index: number): Outcome<I> | undefined {
    return this.#outcomes[0]?.index === index ? this.#outcomes.shift() : undefined
  }

  /** Takes more, unless enough is held; the same promise until there is more. */
  pull(most: number): Promise<void> | undefined {
    if (this.ended || this.#outcomes.length >= most) return undefined
    this.#pulling ??= this.#running.next().then(({ value, done }) => {
      this.#pulling = undefined
      if (done) this.ended = true
      else this.#outcomes.push(...value)
    })
    return this.#pulling
  }

  leave(): void {
    this.#pulling?.catch(() => {})
    this.#running.return(undefined).catch(() => {})
  }
}

function take<I extends AnyInput>(streams: readonly Held<I>[], index: number): Outcome<I> | undefined {
  for (const stream of streams) {
    const found = stream.take(index)
    if (found) return found
  }
  return undefined
}
