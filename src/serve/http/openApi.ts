// The OpenAPI document, made of the schemas that requests are checked with.
import * as z from 'zod'
import { forms } from './body.ts'
import type { Dialect } from './refusal.ts'
import type { Route } from './route.ts'
import { file } from './schema.ts'

/** Bounds that the server was started with, by the names that schemas give as `limit`. */
export type Limits = Readonly<Record<string, number>>

type Schema = Record<string, unknown>

/** OpenAPI 3.1 of all routes. @see https://spec.openapis.org/oas/v3.1.0 */
export function openApi(
  routes: readonly Route[],
  version: string,
  hasKeys: boolean,
  limits: Limits,
): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const route of routes) {
    if (route.hidden) continue
    const path = route.path.replaceAll(/:(\w+)(?:\{[^}]*\})?/g, '{$1}')
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)
    const query =
      route.query &&
      (schemaOf(route.query, limits) as { properties?: Record<string, unknown>; required?: string[] })
    const parameters = [
      ...names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
      ...Object.entries(query?.properties ?? {}).map(([name, schema]) => ({
        name,
        in: 'query',
        required: query?.required?.includes(name) ?? false,
        schema,
      })),
    ]
    const body = route.body && contentOf(route.body, limits)
    const content = route.content ?? 'application/json'
    paths[path] = {
      ...paths[path],
      [route.method]: {
        summary: route.summary,
        tags: [route.group],
        operationId: `${route.method}${path.replaceAll(/\W+(\w)?/g, (_, letter: string | undefined) => (letter ?? '').toUpperCase())}`,
        ...(parameters.length > 0 && { parameters }),
        ...(body && {
          requestBody: {
            required: true,
            ...('multipart/form-data' in body && { description: forms }),
            content: body,
          },
        }),
        responses: {
          200: {
            description: 'The answer',
            ...((route.answer || route.content) && {
              content: { [content]: route.answer ? { schema: schemaOf(route.answer, limits) } : {} },
            }),
          },
          ...refusals(route, hasKeys),
        },
        ...(hasKeys && !route.open && { security: [{ key: [] }] }),
      },
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Pipilo',
      version,
      description: 'Embeddings of texts and pictures, and collections of them.',
    },
    paths,
    ...(hasKeys && { components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } } }),
  }
}

/** The forms of a body: JSON where it needs no file, and a form where it may have one. */
function contentOf(schema: z.ZodType, limits: Limits): Record<string, { schema: Schema }> {
  const json = withoutNothing(schemaOf(schema, limits, NOTHING)) as Schema
  const form = schemaOf(schema, limits, { type: 'string', format: 'binary' })
  const isForm = JSON.stringify(form).includes('"binary"')
  return {
    ...(!JSON.stringify(json).includes(JSON.stringify(NOTHING)) && { 'application/json': { schema: json } }),
    ...(isForm && { 'multipart/form-data': { schema: form } }),
  }
}

/** The schema that nothing fits: a file, in JSON. */
const NOTHING = { not: {} }

const isNothing = (schema: unknown): boolean => JSON.stringify(schema) === JSON.stringify(NOTHING)

/** A schema without the alternatives that nothing fits. */
function withoutNothing(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutNothing)
  if (typeof schema !== 'object' || schema === null || isNothing(schema)) return schema
  const all = Object.entries(schema).map(([name, value]) => [name, withoutNothing(value)] as const)
  const { anyOf, ...rest } = Object.fromEntries(all) as { anyOf?: unknown[] }
  if (!anyOf) return rest
  const left = anyOf.filter((each) => !isNothing(each))
  return left.length === 1 ? { ...(left[0] as Schema), ...rest } : { ...rest, anyOf: left }
}

/** @param fileSchema stands for the files of forms */
function schemaOf(schema: z.ZodType, limits: Limits, fileSchema: Schema = NOTHING): Schema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema }) {
      const made = jsonSchema as Schema
      const { limit, ...others } = made
      if ((zodSchema as unknown) !== file && typeof limit !== 'string') return
      for (const name of Object.keys(made)) delete made[name]
      if ((zodSchema as unknown) === file) Object.assign(made, fileSchema)
      else {
        const bound = others['type'] === 'array' ? 'maxItems' : 'maximum'
        Object.assign(made, others, { [bound]: limits[limit as string] })
      }
    },
  })
  return rest
}

/** Bodies of refusals, as refusalBody writes them. */
const text = { type: 'string' }
const object = (properties: Schema) => ({ type: 'object', properties })
const refusalSchemas: Readonly<Record<Dialect, Schema>> = {
  openai: object({
    error: object({ message: text, type: text, param: { type: ['string', 'null'] }, code: text }),
  }),
  cohere: object({ message: text, code: text }),
  tei: object({ error: text, error_type: text, code: text }),
  pipilo: object({ error: object({ code: text, message: text, field: text }) }),
}

/** The answers that refuse a request. */
function refusals({ dialect, body, works, open }: Route, hasKeys: boolean): Schema {
  const content = { 'application/json': { schema: refusalSchemas[dialect] } }
  const later = {
    'retry-after': { description: 'Seconds after which to ask again', schema: { type: 'integer' } },
  }
  const refusal = (description: string, headers?: Schema) => ({
    description,
    ...(headers && { headers }),
    content,
  })
  return {
    '4XX': refusal('A refusal: what was wrong, and in which field'),
    ...(hasKeys && !open && { 401: refusal('No key, or one that is not right') }),
    ...(body && {
      413: refusal('The body, a text, a picture or the answer would be too large'),
      429: refusal(works ? 'As much waits as may' : 'Too many bodies are being read, or jobs wait', later),
    }),
    503: refusal('The server is being stopped, or is not ready', later),
    504: refusal('It was not done within the time that a request has'),
  }
}
