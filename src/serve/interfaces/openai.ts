// OpenAI's interface: /v1/embeddings and /v1/models. See https://platform.openai.com/docs/api-reference/embeddings.
import * as z from 'zod'
import type { Matrix } from '../../tensor/index.ts'
import { Refusal } from '../http/refusal.ts'
import { type Route, route } from '../http/route.ts'
import { fields, file } from '../http/schema.ts'
import type { Item } from '../models/items.ts'
import type { Services } from '../services.ts'
import { beyond, dimensions, picture, promptOf, readingOf, truncate } from './fields.ts'
import { checkNumber, type InputField, itemsOf } from './inputs.ts'

const ids = z.array(z.int())
const part = z.union([z.string(), ids, fields({ text: z.string() }), fields({ image: picture }), file], {
  error: 'an input is a text, { "text": … } or { "image": … }',
})

const request = fields({
  model: z.string({ error: 'model is the name of a model; /v1/models lists them' }).min(1).max(512),
  input: z
    .union(
      [
        z.string(),
        z.array(z.int()).min(1),
        z.array(part).meta({ limit: 'inputs' }),
        fields({ text: z.string() }),
        fields({ image: picture }),
      ],
      {
        error: 'input is a text or an array of texts; { "image": … } stands for a picture',
      },
    )
    .meta({ description: 'A text, or an array of texts, of { "text" } and of { "image" }' }),
  dimensions,
  encoding_format: z.enum(['float', 'base64']).default('float'),
  user: z.string().optional().meta({ description: 'Accepted, and not used' }),
  truncate,
  ...beyond,
})

const embedding = z.object({
  object: z.literal('embedding'),
  index: z.int(),
  embedding: z
    .union([z.array(z.number()), z.string()])
    .meta({ description: 'Numbers, or base64 of their float32, little endian' }),
})
const answer = z.object({
  object: z.literal('list'),
  data: z.array(embedding),
  model: z.string(),
  usage: z.object({ prompt_tokens: z.int(), total_tokens: z.int() }),
})

const model = z.object({
  id: z.string(),
  object: z.literal('model'),
  created: z.int(),
  owned_by: z.string(),
  modality: z.string(),
  dimensions: z.int(),
  max_tokens: z.int().optional(),
  tap: z.array(z.string()),
  pool: z.string(),
  prompts: z.array(z.string()),
  open: z.boolean(),
})

/** Routes of OpenAI's interface. */
export function openAiRoutes(services: Services): Route[] {
  const { embedding: embedder, table, limits, tokenIds, created } = services
  const describe = (offered: (typeof table.offered)[number]): z.infer<typeof model> => {
    const { recipe, name } = offered
    return {
      id: name,
      object: 'model',
      created,
      owned_by: 'pipilo',
      modality: recipe.modality,
      dimensions: recipe.dimensions,
      ...(recipe.text && { max_tokens: recipe.text.maxLength }),
      tap: [...recipe.taps],
      pool: recipe.pool,
      prompts: Object.keys(recipe.text?.prompts ?? {}),
      open: table.isOpen(name),
    }
  }
  return [
    route({
      method: 'post',
      path: '/v1/embeddings',
      dialect: 'openai',
      group: 'OpenAI',
      summary: 'Vectors of texts and pictures',
      works: true,
      vectors: tokenIds,
      body: request,
      answer,
      async run({ body, client, signal, note }) {
        const { input, model: name, encoding_format: format } = body
        const { recipe } = table.find(name)
        if (format === 'base64' && (body.pool ?? recipe.pool) === 'none') throw noMatrices()
        const given = isIds(input) || !Array.isArray(input) ? [input] : input
        checkNumber(given.length, 'input', limits.inputs)
        const items =
          tokenIds && given.some(isIds)
            ? idsOf(given)
            : await itemsOf(given.map(noIds), 'input', services, signal)
        const embedded = await embedder.embed({
          model: name,
          items,
          reading: readingOf(body),
          dimensions: body.dimensions,
          prompt: promptOf(body),
          // As OpenAI's own does: what is too long is an error.
          truncate: body.truncate ?? 'error',
          client,
          signal,
        })
        const tokens = embedded.tokens.reduce((sum, count) => sum + count, 0)
        note({ model: embedded.model, inputs: items.length, tokens })
        return {
          object: 'list',
          data: embedded.vectors.map((vector, index) => ({
            object: 'embedding',
            index,
            embedding: written(vector, format),
          })),
          model: embedded.model,
          usage: { prompt_tokens: tokens, total_tokens: tokens },
        }
      },
    }),
    route({
      method: 'get',
      path: '/v1/models',
      dialect: 'openai',
      group: 'OpenAI',
      summary: 'The models that are served',
      answer: z.object({ object: z.literal('list'), data: z.array(model) }),
      run: () => ({ object: 'list', data: table.offered.map(describe) }),
    }),
    route({
      method: 'get',
      path: '/v1/models/:model{.+}',
      dialect: 'openai',
      group: 'OpenAI',
      summary: 'One model',
      answer: model,
      run: ({ params }) => describe(table.find(params['model'])),
    }),
  ]
}

const isIds = (input: unknown): input is number[] =>
  Array.isArray(input) && input.length > 0 && input.every((entry) => typeof entry === 'number')

function noIds(input: z.infer<typeof part>, i: number): InputField {
  if (!Array.isArray(input)) return input
  throw invalid(
    `Input ${i} is an array of numbers: token ids belong to one model's tokenizer. Send the text; this server was not started to take ids.`,
  )
}

function idsOf(inputs: readonly z.infer<typeof part>[]): Item[] {
  return inputs.map((ids, i) => {
    if (Array.isArray(ids)) return { ids }
    throw invalid(`Input ${i} is no array of token ids, and others are.`)
  })
}

/** A vector as JSON holds it: numbers, or the base64 of their bytes. */
export function written(
  vector: Float32Array | Matrix,
  format: 'float' | 'base64',
): string | number[] | number[][] {
  if (!(vector instanceof Float32Array)) {
    if (format === 'base64') throw noMatrices()
    const { rows, columns, data } = vector
    return Array.from({ length: rows }, (_, i) => Array.from(data.subarray(i * columns, (i + 1) * columns)))
  }
  if (format === 'base64')
    return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64')
  return Array.from(vector)
}

/** Base64 of a matrix would not say how long its rows are, and clients decode one vector. */
const noMatrices = () =>
  new Refusal(
    400,
    'option_invalid',
    'pool none gives a matrix an input, which base64 cannot say. Ask for it with encoding_format "float".',
    { field: 'encoding_format' },
  )

const invalid = (sentence: string) => new Refusal(400, 'invalid_request', sentence, { field: 'input' })
