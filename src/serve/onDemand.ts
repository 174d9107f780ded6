// Functions of this room's door; each loads its code with its first call.
import { lazily } from '../base/index.ts'

/**
 * Serves embedders and collections over HTTP.
 *
 * @example
 * ```ts
 * const server = await serve({ models: ['all-MiniLM-L6-v2'], port: 0 })
 * const answer = await fetch(`${server.url}/v1/embeddings`, {
 *   method: 'POST',
 *   headers: { 'content-type': 'application/json' },
 *   body: JSON.stringify({ model: 'all-MiniLM-L6-v2', input: ['football', 'soccer'] }),
 * })
 * await server.close()
 * ```
 *
 * @remarks
 * It speaks as OpenAI does (`/v1/embeddings`, `/v1/models`), as Cohere (`/v2/embed`) and as text-embeddings-inference (`/embed`, `/embed_all`,
 * `/rerank`, `/similarity`, `/tokenize`, `/info`), each with `tap`, `pool`, `truncate` and `prompt_name` beside, and pictures as data URLs or
 * multipart. Collections stand under `/v1/collections`, jobs under `/v1/jobs`. `/openapi.json` describes all of it; `/health`, `/ready` and `/metrics` are for
 * those who keep it running.
 *
 * Calls that come together run in one batch. Clients take turns; past the limit of what waits a request gets 429 with `Retry-After`. A client that leaves
 * frees its place. A string of a request is never a path, and a URL is fetched only where `fetchFrom` says so, never from private addresses.
 *
 * @throws `PORT_IN_USE`; `OPTION_INVALID` for options that cannot work, and for another address than the loopback one without keys;
 *   `MODEL_UNKNOWN` and what else resolving a model throws
 */
export const serve = lazily(async () => (await import('./serve.ts')).serve)

/**
 * The settings that {@link serve} would run with: its options, checked as it checks them, and the defaults of the others. Nothing is opened.
 *
 * @example
 * ```ts
 * const { limits } = await serveSettings({ limits: { hits: 100 } })
 * limits.body   // 33554432
 * ```
 *
 * @throws `OPTION_INVALID`
 */
export const serveSettings = lazily(async () => (await import('./settings.ts')).serveSettings)
