// Types of embedders behind HTTP.
import type { Prompt } from '../types.ts'

/** Interface of a server of embeddings; see {@link RemoteOptions.api}. */
export type RemoteApi = 'openai' | 'cohere' | 'tei'

/** Options of {@link remote}. */
export interface RemoteOptions {
  /**
   * Address of the server, up to what its interface's own paths follow: `https://api.openai.com/v1`, `https://api.cohere.com`,
   * `http://localhost:8080`.
   */
  readonly url: string | URL
  /** Name of the model, as the server knows it. A server of text-embeddings-inference has one, and its name is only a label. */
  readonly model: string
  /** Key that is sent as `Authorization: Bearer …`. It is kept nowhere: a recipe does not hold it. Default: none. */
  readonly key?: string
  /**
   * Interface: `openai` posts to `/embeddings` (OpenAI, Pipilo, vLLM, Ollama, LM Studio and most others), `cohere` to `/v2/embed`, `tei` to
   * `/embed` of text-embeddings-inference. Default `openai`.
   */
  readonly api?: RemoteApi
  /** Inputs that it takes; pictures are sent as data URLs. Default `text`. */
  readonly modality?: 'text' | 'image' | 'text-image'
  /** Length of the vectors that is asked for, where the model gives several. Default: the model's own. */
  readonly dimensions?: number
  /** Vectors are made of length 1. Default `true`. */
  readonly normalize?: boolean
  /** Words before texts, by name: `{ query: 'query: ', document: 'passage: ' }`. They are put there before a text is sent. Default: none. */
  readonly prompts?: Readonly<Record<string, string>>
  /** Prompt of every text unless a call says otherwise. */
  readonly prompt?: Prompt
  /** Inputs in a request. Default 32, which text-embeddings-inference allows. A request that is too large for the server is parted. */
  readonly batch?: number
  /** Requests under way at a time, over all calls. Default 4. */
  readonly concurrency?: number
  /** Milliseconds that an answer may take. Default 60,000. */
  readonly timeout?: number
  /** Times that a request is sent again after 429, 500, 502, 503, 504 or a cut connection. Default 5. */
  readonly retries?: number
  /** Longest `Retry-After` that is waited for, in milliseconds; beyond, the call fails with `BUSY`. Default 60,000. */
  readonly patience?: number
  /** Further headers of each request. */
  readonly headers?: Readonly<Record<string, string>>
  /** Ends the opening. */
  readonly signal?: AbortSignal
}
