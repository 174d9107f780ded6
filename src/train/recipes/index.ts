/** The list of recipes. */
import { closest, PipiloError } from '../../base/index.ts'
import { classifier } from './classifier.ts'
import { clip } from './imageText.ts'
import { data2vec, mae } from './masked.ts'
import type { TrainingRecipe } from './recipe.ts'
import { autoencoder, byol, denoisingAutoencoder, simclr } from './selfSupervised.ts'
import { lenet5, resnet, supcon, triplet } from './supervised.ts'
import { sentences } from './texts.ts'

export type { RecipeChoices, RecipeParts, TrainingRecipe } from './recipe.ts'

/** All recipes, as `pipilo train --help` lists them. */
export const trainingRecipes: readonly TrainingRecipe[] = [
  lenet5,
  resnet,
  classifier,
  autoencoder,
  denoisingAutoencoder,
  mae,
  simclr,
  byol,
  data2vec,
  triplet,
  supcon,
  clip,
  sentences,
]

/** The recipe of this name. @throws `OPTION_INVALID` with the closest names */
export function trainingRecipe(name: string): TrainingRecipe {
  const found = trainingRecipes.find((recipe) => recipe.name === name)
  if (found) return found
  const names = trainingRecipes.map((recipe) => recipe.name)
  const near = closest(name, names)
  throw new PipiloError('OPTION_INVALID', `There is no recipe ${name}.`, {
    input: name,
    hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : `Recipes are ${names.join(', ')}.`,
  })
}
