// The messages between the caller's thread and a worker.
import type { PipiloErrorJSON } from '../../base/index.ts'
import type { Tensor } from '../../tensor/index.ts'
import type { Plan } from './engine.ts'
import type { Wiring } from './heldState.ts'

/** To a worker. It is sent one `open`, then one `run` at a time (or what concerns its state), then `close`. */
export type Request =
  | { readonly kind: 'open'; readonly plan: Plan; readonly wiring?: Wiring | undefined }
  | {
      readonly kind: 'run'
      readonly feeds: Readonly<Record<string, Tensor>>
      readonly outputs: readonly string[]
    }
  | {
      readonly kind: 'step'
      readonly feeds: Readonly<Record<string, Tensor>>
      readonly keep: readonly string[]
      readonly fetch: readonly string[]
    }
  | { readonly kind: 'read'; readonly names: readonly string[] }
  | { readonly kind: 'undo' }
  | { readonly kind: 'write'; readonly tensors: Readonly<Record<string, Tensor>> }
  | { readonly kind: 'close' }

/** From a worker: one reply to each request. A closed worker's reply is its end. */
export type Reply =
  | { readonly kind: 'done'; readonly outputs: Readonly<Record<string, Tensor>> }
  | { readonly kind: 'failed'; readonly error: PipiloErrorJSON }

/**
 * Flags that a worker shares with the caller's thread, so that the process can end in the middle of a call.
 *
 * A thread that is ended inside the native library takes the process down with it (`terminate called after throwing an
 * instance of 'Napi::Error'`). So the caller's thread, before it ends, sets `LEAVING` and waits until no thread is `BUSY`;
 * a worker sets `BUSY` and then looks at `LEAVING` before it enters the library.
 */
export const BUSY = 0
/** See {@link BUSY}. */
export const LEAVING = 1

/**
 * The tensors with what can be moved to another thread without copying.
 *
 * An array that is only a part of its buffer is copied first: moving the buffer would take the rest of it away from
 * its owner. Memory that is shared stays shared.
 */
export function movable(tensors: Readonly<Record<string, Tensor>>): {
  tensors: Record<string, Tensor>
  moved: ArrayBuffer[]
} {
  const moved = new Set<ArrayBuffer>()
  const entries = Object.entries(tensors).map(([name, { dtype, shape, data }]): [string, Tensor] => {
    if (Array.isArray(data)) return [name, { dtype, shape, data }]
    let array = data as Exclude<Tensor['data'], readonly unknown[]>
    if (array.buffer instanceof ArrayBuffer) {
      if (array.byteLength !== array.buffer.byteLength) array = array.slice()
      moved.add(array.buffer as ArrayBuffer)
    }
    return [name, { dtype, shape, data: array }]
  })
  return { tensors: Object.fromEntries(entries), moved: [...moved] }
}
