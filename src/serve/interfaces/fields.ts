// Fields that the interfaces share: readings, cuts, prompts, pictures.
import * as z from 'zod'
import type { Prompt } from '../../embed/index.ts'
import { file } from '../http/schema.ts'
import type { Reading } from '../models/modelTable.ts'

/** A picture as a request brings it: a data URL, a URL of an allowed host, or a file of a form. */
export const picture = z
  .union([z.string(), file], {
    error: 'a picture is a data: URL, or a URL of a host that the server fetches from',
  })
  .meta({
    description: 'data:image/png;base64,…; https://… where the server allows the host; or a file of a form',
  })

export type PictureField = z.infer<typeof picture>

const poolings = ['cls', 'mean', 'max', 'last', 'none', 'flatten'] as const

/** Names of layers are kept with what came of them, also of those that do not exist. */
const layer = z.string().min(1).max(512)

/** Fields beyond an interface's own. */
export const beyond = {
  tap: z
    .union([layer, z.array(layer).min(1).max(8)])
    .optional()
    .meta({
      description: 'Layer, or layers, whose values are the embedding. Default: as the model is served',
    }),
  pool: z.enum(poolings).optional().meta({ description: 'How the values of a layer become one vector' }),
  normalize: z.boolean().optional(),
  prompt_name: z
    .string()
    .max(256)
    .optional()
    .meta({ description: 'One of the model’s prompts, such as query' }),
  prompt: z.string().max(65_536).optional().meta({ description: 'Words before every text, as they are' }),
}

/** Cuts of texts that are longer than the model reads. */
export const truncate = z.enum(['error', 'start', 'end']).optional()

/** Number of dimensions. */
export const dimensions = z.int().min(1).max(1_000_000).optional()

type Beyond = { [Name in keyof typeof beyond]?: z.infer<(typeof beyond)[Name]> }

/** The reading that a body asks for. */
export const readingOf = ({ tap, pool, normalize }: Beyond): Reading => ({ tap, pool, normalize })

/** The prompt that a body asks for: a name of the model's, or words. */
export function promptOf({ prompt, prompt_name: name }: Beyond): Prompt | undefined {
  if (prompt !== undefined) return { text: prompt }
  return name
}
