// Resolves options to a recipe, and opens the embedder of a recipe.
import { checkOptions as check, is, PipiloError } from '../base/index.ts'
import { type Card, checkModel, type Model, open, openOptionsOf } from '../models/index.ts'
import type { Matrix } from '../tensor/index.ts'
import { checkOptions, embedderOptionTypes } from './checkOptions.ts'
import { openResolved } from './embedder.ts'
import { type Resolution, resolveWork } from './opening.ts'
import { checkRecipe } from './recipe/checkRecipe.ts'
import { recipeDifferences } from './recipe/compare.ts'
import { optionRoles, type RuntimeOptions } from './recipe/options.ts'
import { readingKey, recipeKey, recipeOptions } from './recipe/recipe.ts'
import type { Recipe } from './recipe/types.ts'
import type { Embedder, EmbedderOptions } from './types.ts'

/** The recipe of an embedder that is not open yet. */
export interface ResolvedEmbedder {
  readonly recipe: Recipe
  /** To be called once. */
  readonly open: () => Promise<Embedder<Float32Array | Matrix>>
}

/** See onDemand.ts. */
export async function resolveEmbedder(
  model: string | Model,
  options: EmbedderOptions = {},
): Promise<ResolvedEmbedder> {
  checkModel(model)
  checkOptions(options)
  const resolution = await resolveWork(model, options)
  return { recipe: resolution.recipe, open: () => openResolved(resolution, options) }
}

/** See onDemand.ts. */
export async function resolveRecipe(model: string | Model, options: EmbedderOptions = {}): Promise<Recipe> {
  return (await resolveEmbedder(model, options)).recipe
}

/** Options beside a recipe. */
export interface OpenRecipeOptions extends RuntimeOptions, Pick<EmbedderOptions, 'calibration'> {
  /** Another name of the same model: its folder has moved, say. */
  readonly model?: string | Model
}

/** See onDemand.ts. */
export async function openRecipe(
  recipe: Recipe,
  given: OpenRecipeOptions = {},
): Promise<Embedder<Float32Array | Matrix>> {
  checkRecipe(recipe)
  check<EmbedderOptions & OpenRecipeOptions>('openRecipe', given, { ...embedderOptionTypes, model: is.any })
  const { model, ...options } = given
  if (model !== undefined) checkModel(model)
  checkRuntime(options)
  const { source, calibration } = recipe
  if (source.remote) {
    throw new PipiloError(
      'OPTION_INVALID',
      `${source.name} is behind ${source.remote.url}: a recipe sends nothing there by itself.`,
      {
        input: source.name,
        hint: `Open it with remote({ url, model, key }), and give it: store.collection(name, { embedder }).`,
      },
    )
  }
  if (calibration !== undefined && !options.calibration) {
    throw new PipiloError(
      'OPTION_INVALID',
      `${source.name} was calibrated on pictures, which its recipe does not hold.`,
      {
        input: 'calibration',
        hint: 'Give the same ones: openRecipe(recipe, { calibration }); to do without, export the model and use that.',
      },
    )
  }
  const asked = { ...recipeOptions(recipe), ...options }
  checkOptions(asked)
  const found = model ?? (await modelOf(recipe, asked))
  const resolution = await resolveAs(recipe, found, asked)
  return openResolved(resolution.resolution, resolution.options)
}

/** The name of the recipe's model, or the tower of it. */
async function modelOf({ source }: Recipe, options: EmbedderOptions): Promise<string | Model> {
  const { name, tower, changed } = source
  if (changed) {
    throw new PipiloError(
      'OPTION_INVALID',
      `${name} was changed after it was opened, and its name does not give that again.`,
      {
        input: name,
        hint: 'Give the model: openRecipe(recipe, { model }), or export it and use the file.',
      },
    )
  }
  if (tower === undefined) return name
  const { towers } = await open(name, openOptionsOf(options))
  if (towers) return towers[tower]
  throw mismatch(name, ['two towers, not one'])
}

/**
 * The model resolved to the recipe. What its files or card say of the preparation of inputs may have changed since the recipe was
 * written: then the recipe counts.
 *
 * @throws PipiloError `RECIPE_MISMATCH`
 */
async function resolveAs(
  recipe: Recipe,
  model: string | Model,
  options: EmbedderOptions,
): Promise<{ resolution: Resolution; options: EmbedderOptions }> {
  const resolution = await resolveWork(model, options).catch((error: unknown) => {
    const isOther =
      error instanceof PipiloError && (error.code === 'LAYER_UNKNOWN' || error.input === 'modality')
    if (!isOther) throw error
    throw mismatch(recipe.source.name, [error.message.replace(/\.$/, '')], error)
  })
  const { card } = resolution.known
  if (isSame(recipe, resolution.recipe) || typeof model !== 'string')
    return checked(recipe, { resolution, options })
  const as = { ...options, card: { ...options.card, ...preparationOf(recipe, card) } }
  return checked(recipe, { resolution: await resolveWork(model, as), options: as })
}

/** The part of a card that a recipe decides. */
function preparationOf(
  { text, image, logits, together, featureAxis }: Recipe,
  { text: own }: Card,
): Partial<Card> {
  const { maxLength, lowercase, clean, padding, positions, prompts } = text ?? {}
  const usual = own?.defaultPrompt !== undefined && prompts && Object.hasOwn(prompts, own.defaultPrompt)
  return {
    ...(maxLength !== undefined && {
      text: {
        maxLength,
        ...(lowercase !== undefined && { lowercase }),
        ...(clean && { clean }),
        ...(padding && { padding }),
        ...(positions && { positions }),
        ...(prompts && { prompts }),
        ...(usual && { defaultPrompt: own.defaultPrompt }),
      },
    }),
    ...(image && { image }),
    ...(featureAxis !== undefined && { featureAxis }),
    ...(together && { together }),
    ...(logits && { logitScale: logits.scale, ...(logits.bias !== undefined && { logitBias: logits.bias }) }),
  }
}

const isSame = (a: Recipe, b: Recipe): boolean => recipeKey(a) === recipeKey(b)

function checked<R extends { resolution: Resolution }>(recipe: Recipe, found: R): R {
  const { recipe: now } = found.resolution
  const same = recipeDifferences(recipe, now).length === 0 && readingKey(recipe) === readingKey(now)
  if (same) return found
  const differences = recipeDifferences(recipe, now)
  throw mismatch(recipe.source.name, differences.length ? differences : ['another prompt, limit or chunks'])
}

function mismatch(name: string, differences: readonly string[], cause?: unknown): PipiloError {
  return new PipiloError(
    'RECIPE_MISMATCH',
    `${name} is not what the recipe was written of: ${differences.join('; ')}.`,
    {
      input: name,
      hint: 'Give the model as it was then: openRecipe(recipe, { model }).',
      cause,
    },
  )
}

/** Refuses options that the recipe settles. */
function checkRuntime(options: EmbedderOptions): void {
  for (const [name, role] of Object.entries(optionRoles)) {
    if (role === 'runtime' || role === 'opening' || name === 'calibration') continue
    if (options[name as keyof EmbedderOptions] === undefined) continue
    throw new PipiloError('OPTION_INVALID', `${name} is what the recipe says.`, {
      input: name,
      hint: `Leave it out, or open another embedder: embedder(model, { ${name} }).`,
    })
  }
}
