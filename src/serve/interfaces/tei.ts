// The interface of text-embeddings-inference: /embed, /embed_all, /rerank, /similarity, /tokenize, /info.
// See https://huggingface.github.io/text-embeddings-inference/.
import * as z from 'zod'
import { breathe, throwIfAborted } from '../../base/index.ts'
import { placedTokens } from '../../embed/index.ts'
import { cosineSimilarity } from '../../tensor/index.ts'
import { Refusal } from '../http/refusal.ts'
import { type Route, route } from '../http/route.ts'
import { fields, file, oneOrMore } from '../http/schema.ts'
import { vectorsOf } from '../models/embedding.ts'
import { tokenizerOf } from '../models/tokenIds.ts'
import type { Services } from '../services.ts'
import { beyond, dimensions, picture, promptOf, readingOf } from './fields.ts'
import { checkNumber, type InputField, itemsOf } from './inputs.ts'
import { written } from './openai.ts'

const input = z.union([z.string(), fields({ text: z.string() }), fields({ image: picture })], {
  error: 'an input is a text, { "text": … } or { "image": … }',
})
const inputs = z.union([input, z.array(z.union([input, file])).meta({ limit: 'inputs' })], {
  error: 'inputs is a text or an array of texts; { "image": … } stands for a picture',
})

const { pool, ...unpooled } = beyond

/** The model, which text-embeddings-inference has but one of, and how long texts are cut. */
const plain = {
  model: z
    .string()
    .min(1)
    .max(512)
    .optional()
    .meta({ description: 'Default: the first that takes such inputs' }),
  truncate: z.boolean().nullish().meta({ description: 'Cut what is too long, which else is an error' }),
  truncation_direction: z.enum(['left', 'right', 'Left', 'Right']).default('right'),
  ...unpooled,
}
const common = { ...plain, pool }

const embedRequest = fields({ inputs, ...common, dimensions })
const rerankRequest = fields({
  query: input,
  texts: oneOrMore(input, 'inputs'),
  raw_scores: z
    .boolean()
    .default(false)
    .meta({ description: 'Accepted, and not used: scores are cosines either way' }),
  return_text: z.boolean().default(false),
  ...common,
})
const similarityRequest = fields({
  inputs: fields({ source_sentence: input, sentences: oneOrMore(input, 'inputs') }),
  parameters: fields({
    truncate: z.boolean().nullish(),
    truncation_direction: common.truncation_direction,
    prompt_name: beyond.prompt_name,
  }).optional(),
  model: common.model,
})
const tokenizeRequest = fields({
  inputs: z.union([z.string(), z.array(z.string()).meta({ limit: 'inputs' })], {
    error: 'inputs is a text or an array of texts',
  }),
  add_special_tokens: z.boolean().default(true),
  model: common.model,
})

type Cut = Pick<z.infer<typeof embedRequest>, 'truncate' | 'truncation_direction'>
const cutOf = ({ truncate, truncation_direction: side }: Cut) =>
  truncate ? (side.toLowerCase() === 'left' ? 'start' : 'end') : 'error'

const score = z.object({ index: z.int(), score: z.number(), text: z.string().optional() })

/** Letters that are taken apart in one request. */
const LETTERS = 2 ** 20

/** Routes of text-embeddings-inference's interface. */
export function teiRoutes(services: Services): Route[] {
  const { embedding, table, limits } = services
  const usual = { dialect: 'tei', group: 'text-embeddings-inference', works: true, method: 'post' } as const
  return [
    route({
      ...usual,
      path: '/embed',
      summary: 'A vector for each input',
      body: embedRequest,
      answer: z.array(z.array(z.number())),
      async run({ body, client, signal, note }) {
        const items = await itemsOf(listOf(body.inputs), 'inputs', services, signal)
        const embedded = await embedding.embed({
          model: body.model,
          dimensions: body.dimensions,
          items,
          reading: readingOf(body),
          prompt: promptOf(body),
          truncate: cutOf(body),
          client,
          signal,
        })
        note({ model: embedded.model, inputs: items.length })
        return vectorsOf(embedded).map((vector) => written(vector, 'float'))
      },
    }),
    route({
      ...usual,
      path: '/embed_all',
      summary: 'A vector for each token of each input, without pooling',
      body: fields({ inputs, ...plain }),
      answer: z.array(z.array(z.array(z.number()))),
      async run({ body, client, signal }) {
        const items = await itemsOf(listOf(body.inputs), 'inputs', services, signal)
        const embedded = await embedding.embed({
          model: body.model,
          items,
          // A row a token is as the layer gives it, unless asked for otherwise.
          reading: { ...readingOf({ ...body, pool: 'none' }), normalize: body.normalize ?? false },
          prompt: promptOf(body),
          truncate: cutOf(body),
          client,
          signal,
        })
        return embedded.vectors.map((matrix) => written(matrix, 'float'))
      },
    }),
    route({
      ...usual,
      path: '/rerank',
      summary:
        'Texts or pictures in the order in which they fit a query: by the cosines of their vectors, as no cross-encoder is served',
      body: rerankRequest,
      answer: z.array(score),
      async run({ body, client, signal }) {
        const cosines = await compared(body.query, body.texts, 'texts', body, client, signal)
        const ranked = cosines
          .map((cosine, index) => {
            const text = body.texts[index]
            return { index, score: cosine, ...(body.return_text && typeof text === 'string' && { text }) }
          })
          .sort((a, b) => b.score - a.score)
        return new Response(JSON.stringify(ranked), {
          headers: { 'content-type': 'application/json', 'x-scores': 'cosine of a bi-encoder' },
        })
      },
    }),
    route({
      ...usual,
      path: '/similarity',
      summary: 'Cosines of one input with others',
      body: similarityRequest,
      answer: z.array(z.number()),
      run({ body, client, signal }) {
        const { truncate, truncation_direction = 'right', prompt_name } = body.parameters ?? {}
        const { source_sentence: source, sentences } = body.inputs
        const how = { model: body.model, truncate, truncation_direction, prompt_name }
        return compared(source, sentences, 'inputs.sentences', how, client, signal)
      },
    }),
    route({
      ...usual,
      path: '/tokenize',
      summary: 'The tokens of texts, each with its place',
      body: tokenizeRequest,
      answer: z.array(
        z.array(
          z.object({
            id: z.int(),
            text: z.string(),
            special: z.boolean(),
            start: z.int().nullable(),
            stop: z.int().nullable(),
          }),
        ),
      ),
      async run({ body, client, signal }) {
        const texts = [body.inputs].flat()
        checkNumber(texts.length, 'inputs', limits.inputs)
        const letters = texts.reduce((sum, text) => sum + text.length, 0)
        if (letters > LETTERS) {
          throw new Refusal(
            413,
            'input_too_long',
            `inputs hold ${letters} letters; ${LETTERS.toLocaleString('en')} are taken apart at a time.`,
            { field: 'inputs' },
          )
        }
        const tokenizer = await tokenizerOf(table, table.find(body.model))
        return embedding.takingApart(tokenizer, letters, { client, signal }, async () => {
          const all: unknown[] = []
          for (const text of texts) {
            await breathe()
            throwIfAborted(signal)
            const { ids } = tokenizer.encode(text)
            const tokens = placedTokens(tokenizer, text, ids).map(
              ({ text: word, special, start, end }, i) => ({
                id: ids[i]!,
                text: word,
                special,
                start: start ?? null,
                stop: end ?? null,
              }),
            )
            all.push(body.add_special_tokens ? tokens : tokens.filter(({ special }) => !special))
          }
          return all
        })
      },
    }),
    route({
      method: 'get',
      path: '/info',
      dialect: 'tei',
      group: usual.group,
      summary: 'The model of texts that answers where none is named',
      answer: z.object({ model_id: z.string(), version: z.string() }).loose(),
      run() {
        const { name, recipe } = table.find(undefined)
        return {
          model_id: name,
          model_sha: recipe.source.fingerprint,
          model_dtype: recipe.dtype,
          model_type: { embedding: { pooling: recipe.pool } },
          rerank: 'cosine of a bi-encoder',
          max_input_length: recipe.text?.maxLength ?? null,
          max_batch_tokens: limits.waitingTokens,
          max_client_batch_size: limits.inputs,
          auto_truncate: false,
          version: services.version,
          models: table.offered.map((offered) => offered.name),
        }
      },
    }),
  ]

  async function compared(
    first: InputField,
    others: readonly InputField[],
    field: string,
    how: Cut &
      Parameters<typeof readingOf>[0] &
      Parameters<typeof promptOf>[0] & { model?: string | undefined },
    client: string,
    signal: AbortSignal,
  ): Promise<number[]> {
    checkNumber(others.length, field, limits.inputs - 1)
    const items = await itemsOf([first, ...others], field, services, signal)
    const embedded = await embedding.embed({
      model: how.model,
      items,
      reading: readingOf(how),
      prompt: promptOf(how),
      truncate: cutOf(how),
      client,
      signal,
    })
    const [query, ...rest] = vectorsOf(embedded)
    if (!query) throw new Refusal(400, 'invalid_request', 'There is nothing to compare.')
    return rest.map((vector) => cosineSimilarity(query, vector))
  }
}

const listOf = (given: z.infer<typeof inputs>): InputField[] => (Array.isArray(given) ? given : [given])
