// Those that hold a session and answer one request at a time: a worker thread, or a child process.
import type { Reply, Request } from './protocol.ts'
import { ThreadEnded } from './thread.ts'

/** Error of a call whose child process ended before it replied. */
export class ProcessEnded extends ThreadEnded {}

export interface Holder {
  /** True if it can still be asked. */
  readonly alive: boolean
  /** Sends a request; `moved` changes owner. Rejects with {@link ThreadEnded} when the holder ends first. */
  request(request: Request, moved?: ArrayBuffer[]): Promise<Reply>
  /** Frees the session and ends the holder. */
  close(): Promise<void>
  /** Ends it in the middle of whatever it does. A thread cannot be: the library would take the process down with it. */
  kill?(): void
}
