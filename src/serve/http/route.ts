// Routes: what is asked for, in what form, and what answers it.
import type { IncomingMessage } from 'node:http'
import type * as z from 'zod'
import type { Dialect } from './refusal.ts'

/** A request that was read and checked. */
export interface Call<Body, Query> {
  readonly body: Body
  readonly query: Query
  /** Parts of the path by their names. */
  readonly params: Readonly<Record<string, string>>
  /** Stands for who asks, where turns are given. */
  readonly client: string
  /** Fires when the client has gone, and when its time is over. */
  readonly signal: AbortSignal
  readonly incoming: IncomingMessage
  /** Adds to the request's line in the access log. */
  note(facts: Record<string, string | number>): void
}

/** One way to ask, documented by its schemas. */
export interface Route<Body = unknown, Query = unknown> {
  readonly method: 'get' | 'post' | 'put' | 'delete'
  /** As hono writes it: `/v1/collections/:name/search`. */
  readonly path: string
  readonly dialect: Dialect
  readonly summary: string
  readonly group: string
  /** Answered also without a key. */
  readonly open?: boolean
  /** No part of the description. */
  readonly hidden?: boolean
  /** Brings work for a model: refused before its body is read when the queue is full. */
  readonly works?: boolean
  /** Largest body in bytes, where it is another than usual. */
  readonly bytes?: number
  /** Its body holds vectors or token ids: many numbers are no sign of ill will. */
  readonly vectors?: boolean
  readonly body?: z.ZodType<Body>
  readonly query?: z.ZodType<Query>
  readonly answer?: z.ZodType
  /** Content of an answer that is no JSON. */
  readonly content?: string
  /** Gives an answer, or plain data that is written as JSON. */
  run(call: Call<Body, Query>): Promise<unknown> | unknown
}

/** Gives a route's `run` the types of its own schemas, and lets all stand in one list. */
export const route = <Body = undefined, Query = undefined>(definition: Route<Body, Query>): Route =>
  definition as unknown as Route
