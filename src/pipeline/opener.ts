// Opens the operators of a run and closes them, once for each run or once for many.
import type { Opener } from './engine.ts'
import type { BatchOperator, OpenOperator } from './operator.ts'

type Any = OpenOperator<unknown, unknown>

/** Opens operators for one run, and closes them at its end. */
export class OpenForRun implements Opener {
  readonly #open = new Map<BatchOperator<unknown, unknown>, Promise<Any>>()

  open(operator: BatchOperator<unknown, unknown>): Promise<Any> {
    const before = this.#open.get(operator)
    if (before) return before
    const opening = Promise.resolve(operator.open())
    this.#open.set(operator, opening)
    // An opening that failed is tried again by the next run.
    opening.catch(() => this.#open.delete(operator))
    return opening
  }

  async end(): Promise<void> {
    const operators = [...this.#open.values()]
    this.#open.clear()
    for (const operator of operators) {
      const open = await operator.catch(() => undefined)
      await open?.close?.()
    }
  }
}

/** Opens operators once for many runs, and closes them when told. */
export class OpenUntilDisposed implements Opener {
  readonly #operators = new OpenForRun()

  open(operator: BatchOperator<unknown, unknown>): Promise<Any> {
    return this.#operators.open(operator)
  }

  async end(): Promise<void> {}

  dispose(): Promise<void> {
    return this.#operators.end()
  }
}
