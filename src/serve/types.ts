// Types of servers: options, limits, and what a running one is.
import type { EmbedderOptions } from '../embed/index.ts'
import type { CompileOptions } from '../runtime/index.ts'
import type { AccessLine } from './seen/accessLog.ts'

/** A model that a server offers, with the options that it is opened with. */
export interface ServedModel extends Omit<EmbedderOptions, 'signal' | 'onProgress' | 'prompt' | 'chunk'> {
  /** Name by which requests ask for it, as in `text-embedding-3-small`. Default: the model's own. */
  readonly name?: string
  /** Model to open: a card's name, `hf:owner/name`, `file:path`, `npm:package/path`. */
  readonly model: string
}

/** Bounds of what a server takes on. */
export interface ServeLimits {
  /** Bytes of a request's body. Default 33,554,432 (32 MiB). */
  readonly body?: number
  /** Texts and pictures in a request, and rows. Default 2,048, as OpenAI has it. */
  readonly inputs?: number
  /** Width × height above which a picture is refused before it is decoded. Default 67,108,864. */
  readonly pixels?: number
  /** Tokens that may wait for a model, over all requests; past it a request gets 429. Default 32,768. */
  readonly waitingTokens?: number
  /** Pixels that may wait, in the models' sizes. Tokens and pixels share one queue: half of each fills it. Default 12,845,056, which are 256 pictures of 224 × 224. */
  readonly waitingPixels?: number
  /** Seconds from a request’s head to its answer; past it, 504. Its body has to come in half of them. Default 60. */
  readonly seconds?: number
  /** Hits of a search, and rows of a page. Default 1,000. */
  readonly hits?: number
  /** Embedders that are open at a time, of all models and taps. Default 8. */
  readonly open?: number
  /** Jobs of indexing that run or wait. Default 16. */
  readonly jobs?: number
}

/** Options of {@link serve}; every one has a default. */
export interface ServeOptions {
  /** Models by name, or with options. Default: the three that work offline (texts, pictures, and both in one space). */
  readonly models?: readonly (string | ServedModel)[]
  /** Database of collections, as `connect` takes it. Default `./.pipilo`. */
  readonly db?: string
  /** Address to listen on. Default `127.0.0.1`: this machine alone. */
  readonly host?: string
  /** Default 8315; 0 takes any that is free. */
  readonly port?: number
  /** Keys of 16 characters and more, of which requests must bear one (`Authorization: Bearer …`). Default: none is asked for, which only the loopback address allows. */
  readonly keys?: readonly string[]
  /** Lets anyone who reaches another address than the loopback one in without a key. Default `false`. */
  readonly anyone?: boolean
  /** Origins of pages that may call the server from a browser (`https://app.example`), or `['*']`. Default: its own page alone. */
  readonly cors?: readonly string[]
  /** Takes arrays of numbers for the model's own token ids, special tokens included. Default `false`: they are refused. */
  readonly tokenIds?: boolean
  /** Hosts from which pictures are fetched by their URLs: `images.example`, `*.example`. Default: none. */
  readonly fetchFrom?: readonly string[]
  readonly limits?: ServeLimits
  /** Keeps vectors on disk, and gives them again for the same input and recipe. Default: no cache. */
  readonly cache?: {
    readonly folder: string
    /** Default 268,435,456 (256 MiB). */
    readonly bytes?: number
  }
  /** Seconds after which an embedder that nobody asks for is closed. Default 900. */
  readonly idle?: number
  /** Bytes of resident memory past which embedders that nobody uses are closed. Default: three quarters of the machine's, or of the container's. */
  readonly memory?: number
  /** Opens every model before {@link serve} resolves. Default `false`: each is opened by its first request. */
  readonly warm?: boolean
  /** Folder whose pictures have thumbnails; paths in collections are relative to it, or to the folder that a collection remembers. Default: only uploaded pictures have thumbnails. */
  readonly files?: string
  /** Folder of a page that is served at `/`. Default: the package's own, where it has one. */
  readonly page?: string | false
  /** Called with each request that has been answered. Default: nobody is told. */
  readonly onAccess?: (line: AccessLine) => void
  /** Called with what went wrong inside; clients do not see it. Default: written to standard error. */
  readonly onError?: (error: unknown, request: string) => void
  /** Traces requests by `@opentelemetry/api`, where that is installed and a program has set it up. Default `false`. */
  readonly traces?: boolean
  readonly runtime?: CompileOptions
  readonly signal?: AbortSignal
}

/** Settings that `serve` makes of its options: checked, with the defaults. */
export interface ServeSettings extends ServeOptions {
  readonly db: string
  readonly host: string
  readonly port: number
  readonly keys: readonly string[]
  readonly anyone: boolean
  readonly cors: readonly string[]
  readonly tokenIds: boolean
  readonly fetchFrom: readonly string[]
  readonly limits: Required<ServeLimits>
  readonly cache?: { readonly folder: string; readonly bytes: number }
  readonly idle: number
  readonly memory: number
  readonly warm: boolean
  readonly traces: boolean
}

/** A running server. */
export interface Server {
  /** Its address, as in `http://127.0.0.1:8315`. */
  readonly url: string
  readonly port: number
  /** Takes no more requests, answers those that are there (for `seconds` at most, default 30), stops jobs, and closes models and collections. */
  close(seconds?: number): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
