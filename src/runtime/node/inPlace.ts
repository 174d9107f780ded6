// A session on the calling thread, which it blocks while it runs.
import { abortError } from '../../base/index.ts'
import type { Tensor } from '../../tensor/index.ts'
import { type Engine, openEngine, type Plan } from './engine.ts'
import { creationError, runError } from './failures.ts'
import { ABORTED } from './pool.ts'
import { messageOf } from './thread.ts'

/** Runs calls one after the other; between two of them the event loop has its turn. */
export class InPlace {
  readonly #engine: Engine
  #last: Promise<unknown> = Promise.resolve()

  private constructor(engine: Engine) {
    this.#engine = engine
  }

  static async open(plan: Plan): Promise<InPlace> {
    try {
      return new InPlace(await openEngine(plan))
    } catch (error) {
      throw creationError(messageOf(error))
    }
  }

  run(
    feeds: Readonly<Record<string, Tensor>>,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, Tensor>> {
    const call = this.#last.then(async () => {
      if (signal?.aborted) throw abortError(signal, ABORTED)
      const results = await this.#engine.run(feeds, outputs).catch((error) => {
        throw runError(messageOf(error))
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
