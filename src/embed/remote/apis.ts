// Interfaces of servers of embeddings: the form of a request, and how its answer is read.
import { decodeBase64, isPlainObject, PipiloError } from '../../base/index.ts'
import type { EmbedOptions } from '../types.ts'
import type { RemoteApi } from './types.ts'

/** An input as it is sent. */
export type Sent = { readonly text: string } | { readonly image: string }

/** Contents of a request. */
export interface Asked {
  readonly model: string
  readonly inputs: readonly Sent[]
  readonly dimensions: number | undefined
  readonly truncate: EmbedOptions['truncate']
  /** The texts are queries, which some models embed otherwise than documents. */
  readonly query: boolean
}

/** Contents of an answer. */
export interface Read {
  readonly vectors: readonly Float32Array[]
  /** Tokens of all inputs together, where the server says it. */
  readonly tokens?: number
}

/** One interface. */
export interface Api {
  readonly path: string
  /** @throws `OPTION_INVALID` for what the interface cannot say */
  body(asked: Asked): unknown
  /** @throws `RESULT_INVALID` for an answer of another form */
  read(answer: unknown): Read
}

/** The interfaces by name. */
export const apis: Readonly<Record<RemoteApi, Api>> = {
  // https://platform.openai.com/docs/api-reference/embeddings
  openai: {
    path: 'embeddings',
    body: ({ model, inputs, dimensions, truncate }) => ({
      model,
      input: inputs.map((input) => ('text' in input ? input.text : input)),
      encoding_format: 'base64',
      ...(dimensions !== undefined && { dimensions }),
      // OpenAI refuses what is too long by itself and knows no such field; Pipilo's server does.
      ...(truncate !== undefined && { truncate }),
    }),
    read(answer) {
      const data = listOf(answer, 'data')
      const byIndex = new Array<Float32Array | undefined>(data.length)
      for (const [place, each] of data.entries()) {
        const index =
          isPlainObject(each) && Number.isSafeInteger(each['index']) ? Number(each['index']) : place
        byIndex[index] = vectorOf(isPlainObject(each) ? each['embedding'] : undefined)
      }
      const vectors = byIndex.filter((vector) => vector !== undefined)
      if (vectors.length !== data.length) throw strange('it names an index twice')
      return { vectors, ...tokensOf(isPlainObject(answer) ? answer['usage'] : undefined, 'prompt_tokens') }
    },
  },
  // https://docs.cohere.com/reference/embed
  cohere: {
    path: 'v2/embed',
    body: ({ model, inputs, dimensions, truncate, query }) => ({
      model,
      input_type: query ? 'search_query' : 'search_document',
      embedding_types: ['float'],
      truncate: (truncate ?? 'end').replace('error', 'none').toUpperCase(),
      ...(dimensions !== undefined && { output_dimension: dimensions }),
      ...(inputs.every((input) => 'text' in input)
        ? { texts: inputs.map(({ text }) => text) }
        : { inputs: inputs.map((input) => ({ content: [contentOf(input)] })) }),
    }),
    read(answer) {
      const embeddings = isPlainObject(answer) ? answer['embeddings'] : undefined
      const meta = isPlainObject(answer) && isPlainObject(answer['meta']) ? answer['meta'] : {}
      return {
        vectors: listOf(embeddings, 'float').map(vectorOf),
        ...tokensOf(meta['billed_units'], 'input_tokens'),
      }
    },
  },
  // https://huggingface.github.io/text-embeddings-inference/
  tei: {
    path: 'embed',
    body: ({ inputs, dimensions, truncate }) => ({
      inputs: inputs.map((input) => {
        if ('text' in input) return input.text
        throw new PipiloError('INPUT_INVALID', 'text-embeddings-inference takes texts, not pictures.')
      }),
      normalize: false,
      truncate: truncate !== 'error',
      ...(truncate &&
        truncate !== 'error' && { truncation_direction: truncate === 'end' ? 'Right' : 'Left' }),
      ...(dimensions !== undefined && { dimensions }),
    }),
    read: (answer) => ({ vectors: listOf({ list: answer }, 'list').map(vectorOf) }),
  },
}

const contentOf = (input: Sent) =>
  'text' in input
    ? { type: 'text', text: input.text }
    : { type: 'image_url', image_url: { url: input.image } }

function listOf(value: unknown, name: string): readonly unknown[] {
  const list = isPlainObject(value) ? value[name] : undefined
  if (Array.isArray(list)) return list
  throw strange(name === 'list' ? 'it is no array' : `it has no array ${name}`)
}

/** A vector as an array of numbers, or as base64 of float32, little endian. */
function vectorOf(value: unknown): Float32Array {
  if (typeof value === 'string') {
    const bytes = decodeBase64(value)
    if (!bytes || bytes.length === 0 || bytes.length % 4 > 0)
      throw strange('a vector is no base64 of float32')
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true))
  }
  if (Array.isArray(value) && value.length > 0 && value.every((number) => typeof number === 'number'))
    return Float32Array.from(value)
  throw strange('a vector is no array of numbers')
}

function tokensOf(usage: unknown, name: string): { tokens?: number } {
  const tokens = isPlainObject(usage) ? usage[name] : undefined
  return typeof tokens === 'number' ? { tokens } : {}
}

/** The error of an answer that is none of the interface's. */
export function strange(why: string): PipiloError {
  return new PipiloError('RESULT_INVALID', `The server's answer is none of its interface: ${why}.`, {
    hint: 'Check url, and api: openai, cohere or tei.',
  })
}
