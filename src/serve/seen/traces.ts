// Traces of requests by OpenTelemetry, where a program has set it up.
import type { IncomingMessage } from 'node:http'
import { PipiloError } from '../../base/index.ts'

/** Runs work within a span. */
export interface Tracing {
  span<T>(name: string, incoming: IncomingMessage, work: () => Promise<T>): Promise<T>
}

const none: Tracing = { span: (_, __, work) => work() }

/**
 * Spans by the provider that `@opentelemetry/api` knows; parents come from the request's `traceparent`.
 *
 * @throws `OPTION_INVALID` where the package is not installed
 */
export async function tracing(wanted: boolean): Promise<Tracing> {
  if (!wanted) return none
  const api = await import('@opentelemetry/api').catch((cause: unknown) => {
    throw new PipiloError('OPTION_INVALID', 'Traces need the package @opentelemetry/api.', {
      input: 'traces',
      hint: 'Install it beside an SDK that is set up before the server: npm install @opentelemetry/api.',
      cause,
    })
  })
  const { context, propagation, SpanKind, SpanStatusCode, trace } = api
  const tracer = trace.getTracer('pipilo')
  return {
    span: (name, incoming, work) => {
      const parent = propagation.extract(context.active(), incoming.headers)
      return tracer.startActiveSpan(name, { kind: SpanKind.SERVER }, parent, async (span) => {
        try {
          return await work()
        } catch (error) {
          span.setStatus({ code: SpanStatusCode.ERROR })
          if (error instanceof Error) span.recordException({ name: error.name, message: error.message })
          throw error
        } finally {
          span.end()
        }
      })
    },
  }
}
