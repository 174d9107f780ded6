// Routes for those who keep a server running: health, readiness, metrics, the OpenAPI document.
import * as z from 'zod'
import { openApi } from '../http/openApi.ts'
import { Refusal } from '../http/refusal.ts'
import { type Route, route } from '../http/route.ts'
import { Golden, probeOf } from '../models/golden.ts'
import type { Metrics } from '../seen/metrics.ts'
import type { Services } from '../services.ts'

/** Milliseconds for which a probe that was right is not made again. */
const FRESH = 5000

/** @param routes gives all routes of the server, these included */
export function upkeepRoutes(
  services: Services,
  metrics: Metrics,
  hasKeys: boolean,
  routes: () => readonly Route[],
): Route[] {
  const golden = new Golden()
  let ready: { readonly until: number; readonly models: string[] } | undefined
  /** Of all who ask meanwhile. */
  let probing: Promise<string[]> | undefined
  let document: unknown

  /** Names of the models that gave the right vector. @throws Refusal 503 */
  async function probe(): Promise<string[]> {
    const { table, embedding } = services
    // Of models that were closed for lack of use nobody is to open them again every few seconds.
    const open = table.offered.filter(({ name }) => table.isOpen(name))
    const probed = open.length > 0 ? open : table.offered.slice(0, 1)
    for (const offered of probed) {
      await table.use(offered, {}, async (opened) => {
        const { vectors } = await embedding.run(opened, [probeOf(opened.embedder)], {
          client: 'ready',
          // Not to be refused when the queue is full: it is ready all the same.
          patient: true,
          // Others may wait for it when the one who asked first has gone.
          signal: new AbortController().signal,
        })
        const wrong = golden.compare(offered, opened, vectors[0]!)
        if (wrong !== undefined)
          throw new Refusal(503, 'not_ready', `Not ready: ${wrong}.`, { retryAfter: 5 })
      })
    }
    return probed.map(({ name }) => name)
  }

  return [
    route({
      method: 'get',
      path: '/health',
      dialect: 'pipilo',
      group: 'Upkeep',
      summary: 'Answers while the process lives',
      open: true,
      answer: z.object({ status: z.literal('ok'), version: z.string() }),
      run: () => ({ status: 'ok', version: services.version }),
    }),
    route({
      method: 'get',
      path: '/ready',
      dialect: 'pipilo',
      group: 'Upkeep',
      summary: 'Answers 200 when the models give the vectors that they should, else 503',
      open: true,
      answer: z.object({ status: z.literal('ready'), models: z.array(z.string()) }),
      async run() {
        if (!ready || ready.until < performance.now()) {
          probing ??= probe().finally(() => {
            probing = undefined
          })
          ready = { models: await probing, until: performance.now() + FRESH }
        }
        return { status: 'ready', models: ready.models }
      },
    }),
    route({
      method: 'get',
      path: '/metrics',
      dialect: 'pipilo',
      group: 'Upkeep',
      summary: 'Metrics in the text format of Prometheus',
      content: 'text/plain; version=0.0.4',
      run: () =>
        new Response(metrics.text(), {
          headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
        }),
    }),
    route({
      method: 'get',
      path: '/openapi.json',
      dialect: 'pipilo',
      group: 'Upkeep',
      summary: 'This description, as OpenAPI 3.1',
      open: true,
      run: () => {
        document ??= openApi(routes(), services.version, hasKeys, services.limits)
        return document
      },
    }),
  ]
}
