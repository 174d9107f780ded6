// A session on the calling thread, which it blocks while it runs.
import { abortError } from '../../base/index.ts'
import type { Tensor } from '../../tensor/index.ts'
import { openingError } from './device.ts'
import { turnsOf } from './deviceTurns.ts'
import { type Engine, openEngine, type Plan } from './engine.ts'
import { runError } from './failures.ts'
import { ABORTED } from './pool.ts'

/** Runs calls one after the other; between two of them the event loop has its turn. */
export class InPlace {
  readonly #engine: Engine
  #last: Promise<unknown> = Promise.resolve()

  private constructor(engine: Engine) {
    this.#engine = engine
  }

  static async open(plan: Plan): Promise<InPlace> {
    return new InPlace(await openHere(plan))
  }

  run(
    feeds: Readonly<Record<string, Tensor>>,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, Tensor>> {
    const call = this.#last.then(async () => {
      if (signal?.aborted) throw abortError(signal, ABORTED)
      const results = await this.#engine.run(feeds, outputs).catch((error) => {
        throw runError(error)
      })
      if (signal?.aborted) throw abortError(signal, ABORTED)
      return results
    })
    this.#last = call.catch(() => {})
    return call
  }

  async close(): Promise<void> {
    await this.#last
    await this.#engine.close()
  }
}

/** A session on this thread that takes its turns on its device. Throws as {@link PipiloError}. */
export async function openHere(plan: Plan): Promise<Engine> {
  const turns = turnsOf(plan)
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => (turns ? turns.run(work) : work())
  const engine = await inTurn(() =>
    openEngine(plan).catch(async (error) => {
      throw await openingError(error, plan)
    }),
  )
  return {
    run: (...asked) => inTurn(() => engine.run(...asked)),
    close: () => inTurn(() => engine.close()),
  }
}
