// Routes of collections: rows in and out, search, uploads, thumbnails.
import { rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import * as z from 'zod'
import { PipiloError } from '../../base/index.ts'
import { thumbnail } from '../../embed/index.ts'
import type { Collection, Filter, Row, SearchOptions } from '../../store/index.ts'
import { isAborted, Refusal } from '../http/refusal.ts'
import { type Call, type Route, route } from '../http/route.ts'
import { fields, file, oneOrMore } from '../http/schema.ts'
import { beyond, dimensions, picture, promptOf, readingOf } from '../interfaces/fields.ts'
import { checkText, picturesOf } from '../interfaces/inputs.ts'
import type { Jobs } from '../jobs/jobs.ts'
import type { Services } from '../services.ts'
import type { Collections, ServedQuery } from './collections.ts'
import { indexUploads } from './indexing.ts'
import type { PictureOf } from './pictureOf.ts'
import { keepFiles } from './uploads.ts'

const id = z.string().min(1).max(1024)
const vector = z.array(z.number()).min(1).max(100_000)
const value = z.union([z.string(), z.number(), z.boolean(), z.null()], {
  error: 'a value is a string, a number, true, false or null',
})
const metadata = z.record(z.string().min(1).max(256), value)
const filter = z.record(z.string(), z.unknown()).meta({
  description:
    'Conditions on metadata, which all have to hold: {"year":{"gte":2020},"or":[{"kind":"bird"},{"title":{"contains":"wing"}}],"not":{"draft":true}}. A value alone means equal; comparisons are eq, ne, gt, gte, lt, lte (numbers, or texts by code point), in (a list of values), contains and startsWith (texts). null is equal to a field that is missing or null, {"ne":null} to one that has a value. A field that no row has, and a value of a type that the field has nowhere, are errors.',
})

const model = {
  model: z
    .string()
    .min(1)
    .max(512)
    .optional()
    .meta({ description: 'Of a new collection: default the first that takes what comes' }),
  tap: beyond.tap,
  pool: beyond.pool,
  normalize: beyond.normalize,
}

const upsertRequest = fields({
  rows: z
    .array(
      fields({
        id,
        text: z.string().min(1).optional(),
        image: picture.optional(),
        vector: vector.optional(),
        metadata: metadata.optional(),
      }),
    )
    .meta({
      limit: 'inputs',
      description:
        'Each with an id of its own and one of text, image and vector; a text is kept as metadata.text',
    }),
  prompt_name: beyond.prompt_name,
  prompt: beyond.prompt,
  ...model,
})

const query = z.union(
  [fields({ text: z.string().min(1) }), fields({ image: picture }), fields({ vector }), fields({ id })],
  { error: 'query is one of { "text" }, { "image" }, { "vector" } and { "id" }' },
)

const searchRequest = fields({
  query,
  k: z.int().min(1).default(10).meta({ limit: 'hits' }),
  filter: filter.optional(),
  distinct: z.union([z.boolean(), z.string().max(256)]).optional(),
  hybrid: z
    .union([z.boolean(), fields({ words: z.string().optional(), field: z.string().max(256).optional() })])
    .optional(),
  exact: z.boolean().optional(),
  probes: z.int().min(1).optional(),
  prompt_name: beyond.prompt_name,
  prompt: beyond.prompt,
})

const hit = z.object({ id: z.string(), score: z.number(), metadata })
const field = z.object({ name: z.string(), types: z.array(z.string()) })
const about = z.object({
  name: z.string(),
  rows: z.int(),
  dimensions: z.int(),
  model: z.string().nullable(),
  modality: z.string().nullable(),
  tap: z.array(z.string()),
  pool: z.string().nullable(),
  uploads: z.boolean().describe('Files can be uploaded into it'),
})

/** Settings of the routes. */
export interface CollectionOptions {
  readonly collections: Collections
  readonly jobs: Jobs
  /** Folder of what is uploaded, a folder a collection. */
  readonly uploads: string
  readonly pictureOf: PictureOf
}

type Named<Body, Query> = Pick<Call<Body, Query>, 'params'>

const group = 'Collections'
const usual = { dialect: 'pipilo', group } as const
const base = '/v1/collections/:name'

/** Routes of collections. */
export function collectionRoutes(
  services: Services,
  { collections, jobs, uploads, pictureOf }: CollectionOptions,
): Route[] {
  const { limits, embedding, table } = services
  const open = ({ params }: Named<unknown, unknown>) => collections.get(params['name']!)
  const folderOf = (collection: string) => resolve(uploads, collection)
  // Ids of files are paths from one folder: those of another would say where the server keeps them.
  const isOfOwnFiles = async (collection: Collection): Promise<boolean> => {
    const memory = await collection.filesMemory()
    return memory !== undefined && resolve(memory.root) !== folderOf(collection.name)
  }
  const describe = async (collection: Collection): Promise<z.infer<typeof about>> => {
    const { recipe } = collection
    return {
      name: collection.name,
      rows: await collection.count(),
      dimensions: collection.dimensions,
      model: recipe?.source.name ?? null,
      modality: recipe?.modality ?? null,
      tap: [...(recipe?.taps ?? [])],
      pool: recipe?.pool ?? null,
      uploads: recipe !== undefined && !recipe.source.remote && !(await isOfOwnFiles(collection)),
    }
  }
  return [
    route({
      ...usual,
      method: 'get',
      path: '/v1/collections',
      summary: 'The collections of the database',
      answer: z.object({ collections: z.array(about) }),
      run: async () => {
        const names = await collections.list()
        return {
          collections: await Promise.all(names.map(async (each) => describe(await collections.get(each)))),
        }
      },
    }),
    route({
      ...usual,
      method: 'get',
      path: base,
      summary: 'One collection, with its fields',
      answer: about.extend({ fields: z.array(field), bytes: z.int() }),
      async run(call) {
        const collection = await open(call)
        return {
          ...(await describe(collection)),
          fields: await collection.fields(),
          bytes: await collection.bytes(),
        }
      },
    }),
    route({
      ...usual,
      method: 'post',
      path: base,
      summary: 'Makes a collection: for the vectors of a model, or for vectors of so many dimensions',
      body: fields({ ...model, dimensions }),
      answer: about,
      async run({ body, params }) {
        const own = params['name']!
        if (body.dimensions !== undefined && body.model !== undefined)
          throw new Refusal(
            400,
            'invalid_request',
            'dimensions is for vectors that you bring; a model says its own.',
            { field: 'dimensions' },
          )
        const collection =
          body.dimensions === undefined
            ? await collections.of(own, table.find(body.model), readingOf(body))
            : await collections.ofLength(own, body.dimensions)
        return describe(collection)
      },
    }),
    route({
      ...usual,
      method: 'delete',
      path: base,
      summary: 'Deletes a collection with all of its rows and uploaded files',
      answer: z.object({ deleted: z.string() }),
      async run({ params }) {
        await collections.drop(params['name']!)
        // A name that the database had is a name of a folder.
        await rm(folderOf(params['name']!), { recursive: true, force: true })
        return { deleted: params['name'] }
      },
    }),
    route({
      ...usual,
      method: 'post',
      path: `${base}/upsert`,
      summary:
        'Inserts or replaces rows by their ids; texts and pictures are embedded by the collection’s model',
      works: true,
      vectors: true,
      body: upsertRequest,
      answer: z.object({ upserted: z.int() }),
      async run({ body, params, client, signal, note }) {
        const { rows } = body
        if (rows.length === 0) return { upserted: 0 }
        if (rows.length > limits.inputs)
          throw new Refusal(
            400,
            'invalid_request',
            `rows has ${rows.length} entries; ${limits.inputs.toLocaleString('en')} are taken at a time.`,
            { field: 'rows' },
          )
        const wrong = rows.findIndex(
          (row) => [row.text, row.image, row.vector].filter((given) => given !== undefined).length !== 1,
        )
        if (wrong >= 0)
          throw new Refusal(
            400,
            'invalid_request',
            `Row ${wrong} has to have one of text, image and vector.`,
            { field: `rows.${wrong}` },
          )
        checkRows(rows)
        const first = rows[0]!
        const own = params['name']!
        await collections.filling(own, async () => {
          const collection = await target(
            own,
            body,
            first.vector?.length,
            first.image === undefined ? 'text' : 'image',
          )
          const vectors = await vectorsOf(collection)
          await collection.upsert(
            rows.map(
              (row, i): Row => ({
                id: row.id,
                vector: vectors[i]!,
                metadata: { ...(row.text !== undefined && { text: row.text }), ...row.metadata },
              }),
            ),
            { signal },
          )
        })
        note({ collection: own, rows: rows.length })
        return { upserted: rows.length }

        async function vectorsOf(found: Collection): Promise<(Float32Array | number[])[]> {
          const all: (Float32Array | number[])[] = rows.map((row) => row.vector ?? [])
          const prompt = promptOf(body)
          const picture = picturesOf(services, signal)
          for (const kind of ['text', 'image'] as const) {
            const places = rows.flatMap((row, i) => (row[kind] === undefined ? [] : [i]))
            if (places.length === 0) continue
            const inputs = await Promise.all(
              places.map((i) =>
                kind === 'text' ? rows[i]!.text! : picture(rows[i]!.image!, `The picture of row ${i}`),
              ),
            )
            const embedded = await collections.embed(found, inputs, kind, { client, signal }, { prompt })
            for (const [j, i] of places.entries()) all[i] = embedded[j]!
          }
          return all
        }
      },
    }),
    route({
      ...usual,
      method: 'post',
      path: `${base}/search`,
      summary: 'The nearest rows of a text, a picture, a vector or a row',
      works: true,
      body: searchRequest,
      answer: z.object({ hits: z.array(hit) }),
      async run(call) {
        const { body, client, signal, note } = call
        if (body.k > limits.hits)
          throw new Refusal(
            400,
            'invalid_request',
            `k is ${body.k}; ${limits.hits} hits are given at most.`,
            { field: 'k' },
          )
        if ('text' in body.query) checkText(body.query.text, 'The query', 'query.text')
        const collection = await open(call)
        const { k, distinct, hybrid, exact, probes } = body
        const options: SearchOptions = {
          k,
          ...(body.filter && { filter: body.filter as Filter }),
          ...(distinct !== undefined && { distinct }),
          ...(hybrid !== undefined && { hybrid: hybrid as NonNullable<SearchOptions['hybrid']> }),
          ...(exact !== undefined && { exact }),
          ...(probes !== undefined && { probes }),
          signal,
        }
        const hits = await collections.search(collection, await queryOf(body), options, { client, signal })
        note({ collection: collection.name, hits: hits.length })
        return { hits }

        async function queryOf({
          query: asked,
          ...rest
        }: z.infer<typeof searchRequest>): Promise<ServedQuery> {
          if ('image' in asked) return { image: await services.picture(asked.image, 'The query', signal) }
          if ('text' in asked) return { text: asked.text, prompt: promptOf(rest) }
          return asked
        }
      },
    }),
    route({
      ...usual,
      method: 'post',
      path: `${base}/get`,
      summary: 'Rows by their ids; null for those that are not there',
      body: fields({ ids: oneOrMore(id, 'hits'), vectors: z.boolean().default(false) }),
      answer: z.object({
        rows: z.array(z.object({ id: z.string(), metadata, vector: vector.optional() }).nullable()),
      }),
      async run(call) {
        const { ids, vectors } = call.body
        if (ids.length > limits.hits)
          throw new Refusal(400, 'invalid_request', `${limits.hits} rows are given at a time.`, {
            field: 'ids',
          })
        const collection = await open(call)
        if (!vectors) {
          const found = await collection.metadata(ids)
          return { rows: found.map((entry, i) => (entry ? { id: ids[i], metadata: entry } : null)) }
        }
        const rows = await collection.get(ids)
        return { rows: rows.map((row) => (row ? { ...row, vector: Array.from(row.vector) } : null)) }
      },
    }),
    route({
      ...usual,
      method: 'post',
      path: `${base}/delete`,
      summary: 'Deletes rows by their ids, or all that a filter finds',
      body: fields({ ids: oneOrMore(id).optional(), filter: filter.optional() }),
      answer: z.object({ deleted: z.int() }),
      async run(call) {
        const { ids, filter: which } = call.body
        if ((ids === undefined) === (which === undefined))
          throw new Refusal(400, 'invalid_request', 'One of ids and filter is to be given.')
        const collection = await open(call)
        return { deleted: await collection.delete(ids ?? (which as Filter), { signal: call.signal }) }
      },
    }),
    route({
      ...usual,
      method: 'get',
      path: `${base}/fields`,
      summary: 'The metadata fields that a filter can name',
      answer: z.object({ fields: z.array(field) }),
      run: async (call) => ({ fields: await (await open(call)).fields() }),
    }),
    route({
      ...usual,
      method: 'get',
      path: `${base}/count`,
      summary: 'The number of rows',
      answer: z.object({ count: z.int() }),
      run: async (call) => ({ count: await (await open(call)).count() }),
    }),
    route({
      ...usual,
      method: 'post',
      path: `${base}/files`,
      summary:
        'Indexes uploaded files (fields called files, each with a name): a job, which tells how far it is',
      body: fields({
        files: z
          .array(file, { error: 'files are those of a form (multipart/form-data)' })
          .min(1)
          .meta({ limit: 'inputs' }),
        by: z.enum(['passage', 'line']).optional(),
        ...model,
      }),
      answer: z.object({ id: z.string() }).loose(),
      async run({ body, params, note }) {
        const own = params['name']!
        if (body.files.length > limits.inputs)
          throw new Refusal(
            400,
            'invalid_request',
            `${limits.inputs.toLocaleString('en')} files are taken at a time.`,
            { field: 'files' },
          )
        const isPicture = /\.(?:jpe?g|png|webp|avif|gif|svg|tiff?|bmp)$/i.test(body.files[0]!.name)
        return collections.filling(own, async (isNew) => {
          const collection = await target(own, body, undefined, isPicture ? 'image' : 'text')
          collections.checkEmbeds(collection)
          if (await isOfOwnFiles(collection))
            throw new Refusal(
              409,
              'collection_mismatch',
              `The collection ${own} was made of the server's own files: upload into another.`,
            )
          const folder = folderOf(own)
          jobs.check()
          const paths = await keepFiles(folder, body.files)
          note({ collection: own, files: paths.length })
          return jobs.start(
            own,
            (job) => indexUploads(collection, paths, folder, embedding, { ...job, by: body.by }),
            // Whoever stops a job before anything was stored leaves no collection behind that only it made.
            async () => {
              if (!isNew || jobs.isFilling(own) || !(await collections.dropEmpty(own))) return
              await rm(folder, { recursive: true, force: true })
            },
          )
        })
      },
    }),
    route({
      ...usual,
      method: 'get',
      path: `${base}/thumbnail`,
      summary: 'A small WebP of a row’s picture',
      query: z.object({ id, size: z.coerce.number().int().min(16).max(1024).default(256) }),
      content: 'image/webp',
      async run(call) {
        const { id: row, size } = call.query
        const collection = await open(call)
        const [found] = await collection.metadata([row])
        const path = found?.['path']
        const file =
          typeof path === 'string' && !('line' in found!) ? await pictureOf(collection, path) : undefined
        const missing = new Refusal(404, 'not_found', 'The row has no picture here.')
        if (file === undefined) throw missing
        const bytes = await thumbnail(file, size, { maxPixels: limits.pixels, signal: call.signal }).catch(
          (error: unknown) => {
            // Of a file that is no picture an error may say the path, and how it begins.
            throw error instanceof PipiloError && !isAborted(error) ? missing : error
          },
        )
        return new Response(new Uint8Array(bytes), {
          headers: { 'content-type': 'image/webp', 'cache-control': 'private, max-age=3600' },
        })
      },
    }),
  ]

  /** The collection that rows go into: the one that is there, if its vectors are those of the model that was named; else a new one. */
  async function target(
    own: string,
    body: { model?: string | undefined } & Parameters<typeof readingOf>[0],
    length: number | undefined,
    takes: 'text' | 'image',
  ): Promise<Collection> {
    const named = [body.model, body.tap, body.pool, body.normalize].some((given) => given !== undefined)
    if (!named && (await collections.has(own))) return collections.get(own)
    if (!named && length !== undefined) return collections.ofLength(own, length)
    return collections.of(own, table.find(body.model, takes), readingOf(body))
  }
}

/** @throws Refusal 400 for an id that is there twice, for a text that differs from the one beside it, and for a picture sent as a text */
function checkRows(rows: z.infer<typeof upsertRequest>['rows']): void {
  const places = new Map<string, number>()
  for (const [i, { id: own, text, metadata: { text: other } = {} }] of rows.entries()) {
    const refused = (sentence: string, name: string) =>
      new Refusal(400, 'invalid_request', sentence, { field: `rows.${i}.${name}` })
    const before = places.get(own)
    if (before !== undefined)
      throw refused(`Rows ${before} and ${i} have the same id, ${JSON.stringify(own)}.`, 'id')
    places.set(own, i)
    if (text === undefined) continue
    checkText(text, `Row ${i}`, `rows.${i}.text`)
    if (other !== undefined && other !== text)
      throw refused(
        `Row ${i} has a text, which is kept as metadata.text, and another metadata.text.`,
        'metadata.text',
      )
  }
}
