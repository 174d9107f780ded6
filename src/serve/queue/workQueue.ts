// The queue before the models: bounded, and by turns among clients.
import { abortError, onAbort } from '../../base/index.ts'
import { Refusal } from '../http/refusal.ts'

/** Work in tokens and pixels. */
export interface Work {
  readonly tokens: number
  readonly pixels: number
}

interface Waiting {
  readonly cost: number
  readonly start: () => void
}

/** Requests of one client that wait for one model, in their order. */
interface Line {
  readonly waiting: Set<Waiting>
  served: number
  running: number
}

/** One model's part: what runs in it, and who waits for it. */
interface Lane {
  running: number
  /** Cost of the least served line that was picked last: who was away makes up for nothing. */
  floor: number
  readonly lines: Map<string, Line>
}

/** Tokens or pixels of a batch, as embedders make them: the unit of cost. */
const BATCH = { tokens: 512, pixels: 4 * 224 * 224 }
/** Batches that a model is given ahead, so that its calls are gathered into full ones. */
const AHEAD = 8
/** Room beyond the bound, as a share of it, for clients of whom nothing waits: one that fills the queue keeps nobody else out. */
const SPARE = 0.25
/** Cost that one request counts for while it runs, at most: its batches take turns with those of others inside the embedder. */
const MOST = AHEAD / 4

/**
 * Admits work for models, or refuses it.
 *
 * @example
 * ```ts
 * const queue = new WorkQueue({ tokens: 32_768, pixels: 12_845_056 })
 * const result = await queue.run(embedder, { tokens: 36, pixels: 0 }, { client, signal }, () => embedder.embed(['football']))
 * ```
 *
 * @remarks
 * Each client has a line of its own before each model, and the line that has had least is next. A client of whom nothing runs does not wait for
 * those of whom much runs: a search beside the indexing of a folder begins at once, and waits only for the batches that run inside the embedder.
 * Tokens and pixels share one bound, as they share the processors.
 */
export class WorkQueue {
  readonly #bound: Work
  readonly #lanes = new Map<object, Lane>()
  /** Share of the bound that waits. */
  #waiting = 0
  #count = 0
  /** Requests that wait, by client. */
  readonly #clients = new Map<string, number>()
  /** Cost that ends in a second, as measured last. */
  #rate = 0
  #ended = 0
  #since = performance.now()

  constructor(bound: Work) {
    this.#bound = bound
  }

  /** Requests that wait. */
  get count(): number {
    return this.#count
  }

  /** Share of the bound that waits, from 0 to 1. */
  get share(): number {
    return this.#waiting
  }

  /**
   * Refuses work that has no room: 429, with the seconds until the queue will have been worked off. What comes to an empty queue is taken, however
   * large.
   *
   * @param closes the body was not read
   * @throws Refusal
   */
  check(work: Work, client: string, closes = false): void {
    const bound = this.#clients.has(client) ? 1 : 1 + SPARE
    if (this.#waiting === 0 || this.#waiting + this.#shareOf(work) <= bound) return
    throw new Refusal(
      429,
      'rate_limit_exceeded',
      'The server has as much work waiting as it takes on. Ask again later.',
      {
        retryAfter: this.#seconds(),
        closes,
      },
    )
  }

  /**
   * Runs a task when its turn has come.
   *
   * @param lane stands for the model
   * @param patient it waits however much there is, and takes no room in the queue: for work that the server itself has begun
   * @throws Refusal 429; PipiloError `ABORTED`
   */
  async run<T>(
    lane: object,
    work: Work,
    {
      client,
      signal,
      patient = false,
    }: { client: string; signal: AbortSignal; patient?: boolean | undefined },
    task: () => Promise<T>,
  ): Promise<T> {
    if (!patient) this.check(work, client)
    const cost = costOf(work)
    const counted = Math.min(cost, MOST)
    const own = this.#lane(lane)
    const line = own.lines.get(client) ?? { waiting: new Set(), served: own.floor, running: 0 }
    own.lines.set(client, line)
    const leave = await this.#turn(own, line, {
      client,
      share: patient ? 0 : this.#shareOf(work),
      cost,
      counted,
      signal,
    })
    try {
      return await task()
    } finally {
      leave()
      this.#finish(cost)
      this.#next(own)
      if (own.running < 1e-9) own.running = 0
      if (line.running < 1e-9 && line.waiting.size === 0) own.lines.delete(client)
      if (own.lines.size === 0) this.#lanes.delete(lane)
    }
  }

  #turn(
    lane: Lane,
    line: Line,
    {
      client,
      share,
      cost,
      counted,
      signal,
    }: { client: string; share: number; cost: number; counted: number; signal: AbortSignal },
  ): Promise<() => void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(abortError(signal))
        return
      }
      const begin = () => {
        lane.running += counted
        line.running += counted
        line.served = Math.max(line.served, lane.floor) + cost
        resolve(() => {
          lane.running -= counted
          line.running -= counted
        })
      }
      if (line.waiting.size === 0 && hasRoom(lane, line, counted)) {
        begin()
        return
      }
      const remove = () => {
        line.waiting.delete(waiting)
        this.#count--
        const left = this.#clients.get(client)! - 1
        if (left === 0) this.#clients.delete(client)
        else this.#clients.set(client, left)
        this.#waiting = this.#count === 0 ? 0 : this.#waiting - share
        heed()
      }
      const heed = onAbort(signal, () => {
        remove()
        reject(abortError(signal))
      })
      const waiting = {
        cost: counted,
        start: () => {
          remove()
          begin()
        },
      }
      line.waiting.add(waiting)
      this.#count++
      this.#clients.set(client, (this.#clients.get(client) ?? 0) + 1)
      this.#waiting += share
    })
  }

  #next(lane: Lane): void {
    for (;;) {
      let next: Line | undefined
      for (const line of lane.lines.values()) {
        const [first] = line.waiting
        if (first && hasRoom(lane, line, first.cost) && (!next || line.served < next.served)) next = line
      }
      const [first] = next?.waiting ?? []
      if (!first) return
      lane.floor = Math.max(lane.floor, next!.served)
      first.start()
    }
  }

  #finish(cost: number): void {
    this.#ended += cost
    const now = performance.now()
    const seconds = (now - this.#since) / 1000
    if (seconds < 1) return
    // After a pause it says nothing of how fast work is done.
    if (this.#count > 0) {
      const rate = this.#ended / seconds
      this.#rate = this.#rate === 0 ? rate : 0.7 * this.#rate + 0.3 * rate
    }
    this.#ended = 0
    this.#since = now
  }

  #seconds(): number {
    const waiting = this.#waiting * (this.#bound.tokens / BATCH.tokens)
    return this.#rate > 0 ? Math.min(60, Math.max(1, Math.ceil(waiting / this.#rate))) : 1
  }

  #lane(key: object): Lane {
    const lane = this.#lanes.get(key) ?? { running: 0, floor: 0, lines: new Map() }
    this.#lanes.set(key, lane)
    return lane
  }

  #shareOf({ tokens, pixels }: Work): number {
    return tokens / this.#bound.tokens + pixels / this.#bound.pixels
  }
}

const costOf = ({ tokens, pixels }: Work): number => tokens / BATCH.tokens + pixels / BATCH.pixels

/** A client of whom nothing runs may begin also where others fill the model; all of those together take no more than as much again. */
function hasRoom(lane: Lane, line: Line, cost: number): boolean {
  if (lane.running === 0 || lane.running + cost <= AHEAD) return true
  return line.running === 0 && lane.running + cost <= 2 * AHEAD
}
