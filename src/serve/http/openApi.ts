// The OpenAPI document, made of the schemas that requests are checked with.
import * as z from 'zod'
import type { Route } from './route.ts'

/** OpenAPI 3.1 of all routes. @see https://spec.openapis.org/oas/v3.1.0 */
export function openApi(
  routes: readonly Route[],
  version: string,
  hasKeys: boolean,
): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const route of routes) {
    if (route.hidden) continue
    const path = route.path.replaceAll(/:(\w+)(?:\{[^}]*\})?/g, '{$1}')
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)
    const query =
      route.query && (schemaOf(route.query) as { properties?: Record<string, unknown>; required?: string[] })
    const parameters = [
      ...names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
      ...Object.entries(query?.properties ?? {}).map(([name, schema]) => ({
        name,
        in: 'query',
        required: query?.required?.includes(name) ?? false,
        schema,
      })),
    ]
    const body = route.body && schemaOf(route.body)
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
            content: { 'application/json': { schema: body }, 'multipart/form-data': { schema: body } },
          },
        }),
        responses: {
          200: {
            description: 'The answer',
            ...((route.answer || route.content) && {
              content: { [content]: route.answer ? { schema: schemaOf(route.answer) } : {} },
            }),
          },
          '4XX': {
            description: `A refusal in the form of ${route.dialect}: what was wrong, and in which field`,
          },
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

function schemaOf(schema: z.ZodType): Record<string, unknown> {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
  return rest
}
