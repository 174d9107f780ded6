// Cohere's interface: /v2/embed. See https://docs.cohere.com/reference/embed.
import { randomUUID } from 'node:crypto'
import * as z from 'zod'
import { l2Normalize } from '../../tensor/index.ts'
import { Refusal } from '../http/refusal.ts'
import { type Route, route } from '../http/route.ts'
import { fields, oneOrMore } from '../http/schema.ts'
import { vectorsOf } from '../models/embedding.ts'
import type { Item } from '../models/items.ts'
import type { Offered } from '../models/modelTable.ts'
import type { Services } from '../services.ts'
import { beyond, dimensions, picture, promptOf, readingOf } from './fields.ts'
import { checkNumber, itemsOf } from './inputs.ts'

const types = ['float', 'int8', 'uint8', 'binary', 'ubinary', 'base64'] as const
type EmbeddingType = (typeof types)[number]

const content = z.union(
  [
    fields({ type: z.literal('text'), text: z.string() }),
    fields({
      type: z.literal('image_url'),
      image_url: fields({
        url: z.string(),
        detail: z.string().optional().meta({ description: 'Accepted, and not used' }),
      }),
    }),
  ],
  { error: 'content is { "type": "text", "text": … } or { "type": "image_url", "image_url": { "url": … } }' },
)

const request = fields({
  model: z.string({ error: 'model is the name of a model; /v1/models lists them' }).min(1).max(512),
  texts: oneOrMore(z.string(), 'inputs').optional(),
  images: oneOrMore(picture, 'inputs').optional(),
  inputs: z
    .array(fields({ content: z.array(content).min(1).max(16) }))
    .meta({ limit: 'inputs' })
    .optional()
    .meta({
      description:
        'Inputs of several parts: the vector of one is the mean of those of its parts, of length 1',
    }),
  input_type: z
    .enum(['search_document', 'search_query', 'classification', 'clustering', 'image'])
    .optional()
    .meta({
      description:
        'search_query and search_document: the prompts that the model has for them; the others are accepted, and not used',
    }),
  embedding_types: oneOrMore(z.enum(types))
    .refine((given) => given.length > 0, { error: 'embedding_types is empty' })
    .default(['float']),
  output_dimension: dimensions,
  max_tokens: z
    .int()
    .min(1)
    .optional()
    .meta({ description: 'Not below what the model reads, which is an error' }),
  truncate: z.enum(['NONE', 'START', 'END']).default('END'),
  priority: z.int().optional().meta({ description: 'Accepted, and not used' }),
  ...beyond,
})

const numbers = z.array(z.array(z.number())).optional()
const answer = z.object({
  id: z.string(),
  response_type: z.literal('embeddings_by_type'),
  embeddings: z.object({
    float: numbers,
    int8: numbers,
    uint8: numbers,
    binary: numbers,
    ubinary: numbers,
    base64: z.array(z.string()).optional(),
  }),
  texts: z.array(z.string()),
  meta: z.object({
    api_version: z.object({ version: z.string() }),
    billed_units: z.object({ input_tokens: z.int(), images: z.int() }),
  }),
})

const asPicture = 'images, or as { "type": "image_url", … } in inputs,'

const cuts = { NONE: 'error', START: 'start', END: 'end' } as const

/** Routes of Cohere's interface. */
export function cohereRoutes(services: Services): Route[] {
  return [
    route({
      method: 'post',
      path: '/v2/embed',
      dialect: 'cohere',
      group: 'Cohere',
      summary: 'Vectors of texts and pictures, also in fewer bits',
      works: true,
      body: request,
      answer,
      async run({ body, client, signal, note }) {
        const { texts, images, inputs, max_tokens: most } = body
        if ([texts, images, inputs].filter((given) => given !== undefined).length !== 1) {
          throw new Refusal(400, 'invalid_request', 'One of texts, images and inputs is to be given.')
        }
        const offered = services.table.find(body.model)
        const limit = offered.recipe.text?.maxLength
        if (most !== undefined && limit !== undefined && most < limit) {
          throw new Refusal(
            400,
            'invalid_request',
            `max_tokens is ${most}; ${offered.name} reads ${limit}, and no less.`,
            { field: 'max_tokens' },
          )
        }
        const given =
          texts ??
          images?.map((image) => ({ image })) ??
          inputs!.flatMap((input) => input.content.map(partOf))
        if (inputs) checkNumber(inputs.length, 'inputs', services.limits.inputs)
        const field = texts ? 'texts' : images ? 'images' : 'inputs'
        const items = await itemsOf(given, field, services, signal, asPicture)
        const embedded = await services.embedding.embed({
          model: body.model,
          items,
          reading: readingOf(body),
          dimensions: body.output_dimension,
          prompt: promptOf(body) ?? promptFor(offered, body.input_type, items),
          truncate: cuts[body.truncate],
          client,
          signal,
        })
        const tokens = embedded.tokens.reduce((sum, count) => sum + count, 0)
        const vectors = vectorsOf(embedded)
        note({ model: embedded.model, inputs: items.length, tokens })
        const rows = inputs
          ? together(
              vectors,
              inputs.map((input) => input.content.length),
            )
          : vectors
        return {
          id: randomUUID(),
          response_type: 'embeddings_by_type',
          embeddings: Object.fromEntries(
            body.embedding_types.map((type) => [type, rows.map((row) => inType(row, type))]),
          ),
          texts: texts ?? [],
          meta: {
            api_version: { version: '2' },
            billed_units: { input_tokens: tokens, images: items.filter((item) => 'image' in item).length },
          },
        }
      },
    }),
  ]
}

const partOf = (part: z.infer<typeof content>) =>
  part.type === 'text' ? { text: part.text } : { image: part.image_url.url }

/** The prompt that a model has for this type of input. */
function promptFor(
  { recipe }: Offered,
  type: z.infer<typeof request>['input_type'],
  items: readonly Item[],
): string | undefined {
  const { query, document } = recipe.text?.promptsFor ?? {}
  if (!items.some((item) => 'text' in item)) return undefined
  return type === 'search_query' ? query : type === 'search_document' ? document : undefined
}

/** The vectors of inputs of several parts: the means of those of their parts, each of which counts as much. */
function together(vectors: readonly Float32Array[], counts: readonly number[]): Float32Array[] {
  let from = 0
  return counts.map((count) => {
    const parts = vectors.slice(from, from + count)
    from += count
    if (count === 1) return parts[0]!
    const sum = new Float32Array(parts[0]!.length)
    for (const part of parts) for (const [i, value] of l2Normalize(part).entries()) sum[i]! += value
    return l2Normalize(sum)
  })
}

/**
 * A vector in fewer bits. Bytes are steps of its own largest number, so that cosines stay; bits are signs, the first dimension the highest of the
 * first byte; `binary` is `ubinary` less 128.
 */
export function inType(vector: Float32Array, type: EmbeddingType): number[] | string {
  switch (type) {
    case 'float':
      return Array.from(vector)
    case 'base64':
      return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64')
    case 'int8':
      return bytes(vector)
    case 'uint8':
      return bytes(vector).map((value) => value + 128)
    case 'ubinary':
      return bits(vector)
    case 'binary':
      return bits(vector).map((value) => value - 128)
  }
}

function bytes(vector: Float32Array): number[] {
  const most = vector.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) || 1
  return Array.from(vector, (value) => Math.round((127 * value) / most))
}

function bits(vector: Float32Array): number[] {
  const packed = Array<number>(Math.ceil(vector.length / 8)).fill(0)
  for (const [i, value] of vector.entries()) if (value > 0) packed[i >> 3]! |= 0x80 >> (i & 7)
  return packed
}
