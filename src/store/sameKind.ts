// Decides if an embedder's vectors can be compared with those of a collection.
import { PipiloError } from '../base/index.ts'
import { type Embedder, type Recipe, recipeDifferences, resolveRecipe } from '../embed/index.ts'
import type { CollectionInfo } from './backend.ts'
import type { EmbedderIdentity } from './identity.ts'

/** The part of an embedder that is looked at. */
export type Comparable = Pick<Embedder, 'recipe'> & Partial<Pick<Embedder, 'model'>>

/**
 * Refuses an embedder whose vectors cannot be compared with those of a collection.
 *
 * @throws `COLLECTION_MISMATCH` that says in what they differ.
 */
export async function checkSameKind(
  name: string,
  { recipe, identity, dimensions }: CollectionInfo,
  embedder: Comparable,
): Promise<void> {
  const { recipe: wanted } = embedder
  const differences = recipe
    ? await recipeDifferences(recipe, wanted)
    : identity
      ? await identityDifferences(identity, embedder)
      : []
  if (differences.length > 0) throw mismatch(name, differences)
  if (wanted.dimensions > 0 && wanted.dimensions !== dimensions)
    throw mismatch(name, [`dimensions ${dimensions}, not ${wanted.dimensions}`])
}

/** In what an embedder differs from what an early collection says, which knows its tap by the name that it was asked for. */
async function identityDifferences(has: EmbedderIdentity, { recipe, model }: Comparable): Promise<string[]> {
  const { model: name, fingerprint, tap, ...rest } = has
  const taps = tap.split(',')
  const same = recipe.source.fingerprint === fingerprint
  const resolved = same && model && tap !== recipe.taps.join(',') ? await tapsOf(await model(), taps) : taps
  const before: Recipe = {
    ...recipe,
    ...rest,
    taps: resolved,
    source: { ...recipe.source, name, fingerprint },
  }
  return await recipeDifferences(before, recipe)
}

/** Values that the names of taps stand for; the names as they are where the model does not know them. */
async function tapsOf(
  model: Awaited<ReturnType<Embedder['model']>>,
  tap: readonly string[],
): Promise<readonly string[]> {
  try {
    return (await resolveRecipe(model, { tap })).taps
  } catch (error) {
    if (error instanceof PipiloError && error.code === 'LAYER_UNKNOWN') return tap
    throw error
  }
}

export function mismatch(name: string, differences: readonly string[]): PipiloError {
  return new PipiloError(
    'COLLECTION_MISMATCH',
    `The collection "${name}" holds vectors of another kind: ${differences.join('; ')}.`,
    { input: name, hint: 'Use the embedder that it was made with, or another collection.' },
  )
}
