// Stages of a run: calls of operators for each row, and flows that take, flatten or group rows.
import { checkCount, PipiloError } from '../base/index.ts'
import type { Operator } from './operator.ts'

/** A result of {@link CallStage.write} that takes the row out. */
export const DROP: unique symbol = Symbol('drop')

/** A stage that calls an operator for every row, and puts its result into the row. */
export interface CallStage {
  readonly kind: 'call'
  readonly name: string
  readonly operator: Operator<unknown, unknown>
  readonly read: (item: unknown) => unknown
  readonly write: (item: unknown, result: unknown) => unknown
}

/** A stage that remembers rows, or makes several of one. */
export interface FlowStage {
  readonly kind: 'flow'
  readonly name: string
  readonly start: () => Flow
}

export type Stage = CallStage | FlowStage

export interface Flow {
  /** Takes a row. If it adds many, it waits for {@link Outlet.drain} between them. */
  push(item: unknown, row: number, out: Outlet): void | Promise<void>
  /** The source has ended. */
  flush?(out: Outlet): void
  /** No further row is wanted. */
  readonly done?: boolean
}

/** Output of a flow. */
export interface Outlet {
  readonly full: boolean
  add(item: unknown, row: number): void
  /** Hands on what was added, when there is room. False: nobody reads any more. */
  drain(): Promise<boolean>
}

const same = (item: unknown): unknown => item
const replace = (_: unknown, result: unknown): unknown => result

/** Every row's value becomes what the operator makes of it. */
export function callStage(
  operator: Operator<never, unknown>,
  read: CallStage['read'] = same,
  write: CallStage['write'] = replace,
): CallStage {
  const { concurrency, batch } = operator as { concurrency?: number; batch?: number }
  if (concurrency !== undefined) checkCount(`${operator.name}: concurrency`, concurrency, 1)
  if (batch !== undefined) checkCount(`${operator.name}: batch`, batch, 1)
  return { kind: 'call', name: operator.name, operator: operator as Operator<unknown, unknown>, read, write }
}

/** Keeps the rows for which the operator gives something true. */
export function filterStage(operator: Operator<never, unknown>, read: CallStage['read'] = same): CallStage {
  return callStage(operator, read, (item, result) => (result ? item : DROP))
}

/**
 * A row for each element of a row's list.
 *
 * @param list the list in an item
 * @param write the row of an element
 */
export function flattenStage(
  name: string,
  list: (item: unknown) => unknown = same,
  write: (item: unknown, element: unknown) => unknown = replace,
): FlowStage {
  return {
    kind: 'flow',
    name,
    start: () => ({
      async push(item, row, out) {
        const elements = list(item) as Partial<Iterable<unknown> & AsyncIterable<unknown>> | null | undefined
        if (elements?.[Symbol.asyncIterator]) {
          for await (const element of elements as AsyncIterable<unknown>) {
            if (out.full && !(await out.drain())) return
            out.add(write(item, element), row)
          }
        } else if (elements?.[Symbol.iterator]) {
          for (const element of elements as Iterable<unknown>) {
            if (out.full && !(await out.drain())) return
            out.add(write(item, element), row)
          }
        } else {
          throw new PipiloError(
            'INPUT_INVALID',
            `What ${name} got is not a list but of type ${typeof elements}.`,
            {
              hint: 'Return an array, or another iterable.',
            },
          )
        }
      },
    }),
  }
}

/**
 * Windows of `size` rows, one every `step` rows. Those that the end cuts short are kept if `partial`.
 *
 * @param join the row of a window
 */
export function windowStage(
  name: string,
  size: number,
  step: number,
  partial: boolean,
  join: (items: unknown[]) => unknown = (items) => items,
): FlowStage {
  checkCount(`${name}: size`, size, 1)
  checkCount(`${name}: step`, step, 1)
  return {
    kind: 'flow',
    name,
    start() {
      let items: unknown[] = []
      let rows: number[] = []
      /** Rows to leave out before the next window, where the step is longer than the window. */
      let skip = 0
      const forward = (): void => {
        skip = Math.max(0, step - items.length)
        items = items.slice(step)
        rows = rows.slice(step)
      }
      return {
        push(item, row, out) {
          if (skip > 0) {
            skip--
            return
          }
          items.push(item)
          rows.push(row)
          if (items.length < size) return
          out.add(join(items), rows[0]!)
          forward()
        },
        flush(out) {
          while (partial && items.length > 0) {
            out.add(join(items), rows[0]!)
            forward()
          }
        },
      }
    },
  }
}

/** The first `count` rows; then the source is left. */
export function takeStage(count: number): FlowStage {
  checkCount('take', count, 0)
  return {
    kind: 'flow',
    name: 'take',
    start() {
      let left = count
      return {
        push(item, row, out) {
          out.add(item, row)
          left--
        },
        get done() {
          return left <= 0
        },
      }
    },
  }
}
