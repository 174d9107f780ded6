// The route of a model's layers, each of which a request may name as `tap`.
import * as z from 'zod'
import { type Route, route } from '../http/route.ts'
import type { Services } from '../services.ts'

const answer = z.object({
  model: z.string(),
  /** The layer that is read where a request names none. */
  tap: z.array(z.string()),
  layers: z.array(
    z.object({
      name: z.string(),
      kind: z.string(),
      shape: z.array(z.union([z.int(), z.string()])).nullable(),
      parameters: z.int(),
    }),
  ),
})

/** The route of layers. Those of a model are found out once. */
export function layersRoute({ table }: Services): Route {
  const known = new Map<string, z.infer<typeof answer>>()
  return route({
    method: 'get',
    path: '/v1/layers',
    dialect: 'pipilo',
    group: 'Models',
    summary: 'The layers of a model, each of which a request can name as tap',
    query: z.object({ model: z.string().min(1).max(512).optional() }),
    answer,
    async run({ query }) {
      const offered = table.find(query.model)
      const before = known.get(offered.name)
      if (before) return before
      const found = await table.use(offered, {}, async ({ embedder }) => {
        const model = await embedder.model()
        return {
          model: offered.name,
          tap: [...offered.recipe.taps],
          // Nothing outside can read a layer inside a branch.
          layers: model
            .layers()
            .filter(({ value }) => value !== '')
            .map(({ name, kind, shape, parameters }) => ({
              name,
              kind,
              shape: shape ? [...shape] : null,
              parameters,
            })),
        }
      })
      known.set(offered.name, found)
      return found
    },
  })
}
