// Option `--reduce`: a saved reducer behind a model.
import { PipiloError } from '../base/index.ts'
import type { EmbeddingOptions, Model } from '../models/index.ts'
import { loadReducer } from '../reduce/index.ts'

/** The option, in commands that make embeddings or write them as graphs. */
export const reduceArgs = {
  reduce: {
    type: 'string',
    description:
      'A linear reducer that save() wrote (PCA, whitening, LDA, random projection): short vectors leave the model',
    valueHint: 'file',
  },
} as const

/** The model with the reducer of a file behind its embedding. @throws PipiloError `OPTION_INVALID` for a reducer that is no product */
export async function reducedModel(model: Model, path: string, options: EmbeddingOptions): Promise<Model> {
  const reducer = await loadReducer(path)
  if ('applyTo' in reducer) return reducer.applyTo(model, options)
  throw new PipiloError(
    'OPTION_INVALID',
    `${path} holds ${reducer.kind}, which cannot become a part of a model.`,
    {
      input: path,
      hint: 'Linear reducers can: PCA, whitening, LDA, random projection.',
    },
  )
}
