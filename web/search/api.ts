// Talks to the server that the page came from.
import type { Found } from './dropped.ts'
import type { Where } from './state.ts'

/** A collection as the server lists it. */
export interface Listed {
  readonly name: string
  readonly rows: number
  readonly dimensions: number
  readonly model: string | null
  readonly modality: 'text' | 'image' | 'text-image' | 'tensor' | null
  readonly tap: readonly string[]
  readonly pool: string | null
  /** True: files can be uploaded into it. */
  readonly uploads: boolean
}

/** A model as the server lists it. */
export interface Model {
  readonly id: string
  readonly modality: string
  readonly dimensions: number
  readonly tap: readonly string[]
  readonly pool: string
}

/** A metadata field. */
export interface Field {
  readonly name: string
  readonly types: readonly ('number' | 'string' | 'boolean')[]
}

type Metadata = Readonly<Record<string, string | number | boolean | null>>

/** A row that was found. */
export interface Hit {
  readonly id: string
  readonly score: number
  readonly metadata: Metadata
}

export type Query = { readonly text: string } | { readonly image: string } | { readonly id: string }

/** A search but for its query. */
export interface Search {
  readonly k: number
  readonly filter?: Readonly<Record<string, Readonly<Record<string, Where['value']>>>> | undefined
  readonly hybrid?: boolean
  readonly distinct?: string
}

/** A job of indexing. */
export interface Job {
  readonly id: string
  readonly state: 'waiting' | 'running' | 'done' | 'failed' | 'cancelled'
  readonly progress: {
    readonly done: number
    readonly total?: number
    readonly indexed: number
    readonly unchanged: number
    readonly skipped: number
  }
  readonly ended?: string
  readonly report?: {
    readonly indexed: number
    readonly unchanged: number
    readonly skippedCount: number
    readonly skipped: readonly { readonly id: string; readonly reason: string }[]
  }
  readonly error?: { readonly code: string; readonly message: string }
}

/** An answer that is a refusal, or none at all. */
export class Problem extends Error {
  /** Of the answer; 0 where there was none. */
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

const KEY = 'pipilo-key'

/** Key that the server was given by this tab, kept until the tab is closed. */
export const key = {
  get: (): string => sessionStorage.getItem(KEY) ?? '',
  set: (value: string): void => sessionStorage.setItem(KEY, value),
}

/** Sends a request. @throws {@link Problem}; `AbortError` */
async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers)
  if (key.get() !== '') headers.set('authorization', `Bearer ${key.get()}`)
  let response: Response
  try {
    response = await fetch(path, { ...init, headers })
  } catch (error) {
    if ((error as Error).name === 'AbortError') throw error
    throw new Problem(0, 'unreachable', 'The server does not answer. Is “pipilo serve” still running?')
  }
  if (response.ok) return response
  const told = (await response.json().catch(() => ({}))) as { error?: { code?: string; message?: string } }
  const { code = 'unknown', message = `The server answered ${response.status}.` } = told.error ?? {}
  throw new Problem(response.status, code, message)
}

const get = async <T>(path: string): Promise<T> => (await ask(path)).json() as Promise<T>

const post = async <T>(path: string, body: unknown, signal: AbortSignal): Promise<T> => {
  const headers = { 'content-type': 'application/json' }
  return (
    await ask(path, { method: 'POST', headers, body: JSON.stringify(body), signal })
  ).json() as Promise<T>
}

const of = (collection: string): string => `v1/collections/${encodeURIComponent(collection)}`

export const collections = async (): Promise<readonly Listed[]> =>
  (await get<{ collections: readonly Listed[] }>('v1/collections')).collections

/** Models whose vectors collections can hold. */
export const models = async (): Promise<readonly Model[]> =>
  (await get<{ data: readonly Model[] }>('v1/models')).data.filter(({ modality }) => modality !== 'tensor')

export const fields = async (collection: string): Promise<readonly Field[]> =>
  (await get<{ fields: readonly Field[] }>(`${of(collection)}/fields`)).fields

export const search = async (
  collection: string,
  query: Query,
  options: Search,
  signal: AbortSignal,
): Promise<readonly Hit[]> =>
  (await post<{ hits: readonly Hit[] }>(`${of(collection)}/search`, { query, ...options }, signal)).hits

/** True of a row that a collection has. */
export const has = async (collection: string, id: string, signal: AbortSignal): Promise<boolean> =>
  (await post<{ rows: readonly unknown[] }>(`${of(collection)}/get`, { ids: [id] }, signal)).rows[0] !== null

/** Deletes a collection. */
export const remove = (collection: string): Promise<Response> => ask(of(collection), { method: 'DELETE' })

/** A layer of a model. */
export interface Layer {
  readonly name: string
  readonly kind: string
  readonly shape: readonly (number | string)[] | null
}

export const layers = async (model: string): Promise<readonly Layer[]> =>
  (await get<{ layers: readonly Layer[] }>(`v1/layers?${new URLSearchParams({ model })}`)).layers

/** Address of a row's thumbnail. With a key, which an address cannot carry, it is fetched first. */
export async function thumbnail(collection: string, id: string): Promise<string> {
  const path = `${of(collection)}/thumbnail?${new URLSearchParams({ id, size: '320' })}`
  return key.get() === '' ? path : URL.createObjectURL(await (await ask(path)).blob())
}

/** Place of new files. */
export interface Target {
  readonly collection: string
  /** Of a new one. */
  readonly model?: string
  readonly tap?: string
  readonly pool?: string
}

/** Sends files, and begins their job. */
export async function upload(
  { collection, ...reading }: Target,
  files: readonly Found[],
  signal: AbortSignal,
): Promise<Job> {
  const form = new FormData()
  form.set('json', JSON.stringify(reading))
  for (const { path, file } of files) form.append('files', file, path)
  return (await ask(`${of(collection)}/files`, { method: 'POST', body: form, signal })).json() as Promise<Job>
}

/** Follows a job by its events. @returns its last state */
export async function follow(id: string, onState: (job: Job) => void, signal: AbortSignal): Promise<Job> {
  const path = `v1/jobs/${encodeURIComponent(id)}`
  const { body } = await ask(`${path}/events`, { signal })
  const reader = body!.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return get<Job>(path)
    const events = (rest + value).split('\n\n')
    rest = events.pop()!
    for (const event of events) {
      const data = /^data: (.*)$/m.exec(event)?.[1]
      if (data === undefined) continue
      const job = JSON.parse(data) as Job
      onState(job)
      if (job.ended !== undefined) return job
    }
  }
}

export const cancel = (id: string): Promise<Response> =>
  ask(`v1/jobs/${encodeURIComponent(id)}`, { method: 'DELETE' })

/** A map of a collection, as the atlas draws it. */
export const mapOf = <T>(collection: string): Promise<T> => get<T>(`${of(collection)}/map`)
