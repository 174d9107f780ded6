// Writes down what an embedder is, with defaults filled in and names resolved, and makes keys of it.
import { canonicalJson, sha256 } from '../../base/index.ts'
import type { ImagePreprocessing } from '../../models/index.ts'
import { writtenValues } from '../../tensor/index.ts'
import { promptsFor, promptWords } from '../prompt.ts'
import type { EmbedderOptions, Prompt } from '../types.ts'
import { checkRecipe } from './checkRecipe.ts'
import type { KnownModel } from './known.ts'
import { type OptionRole, optionRoles } from './options.ts'
import type { Recipe, RecipeText } from './types.ts'

/** Tokens read of a text where neither card nor options say. */
export const MAX_LENGTH = 512

/** The recipe of a model under these options. */
export function recipeOf(known: KnownModel, options: EmbedderOptions): Recipe {
  const { card, modality, opened, fingerprint, taps } = known
  const { dtype, calibration, isolate: _, ...source } = opened
  const { logitScale: scale, logitBias: bias } = card
  const inputs = writtenValues(options.inputs ?? {})
  // Checked for pictures too, which have no prompts.
  const prompt = promptWords(known, options.prompt)
  return {
    version: 1,
    source: { ...source, fingerprint },
    modality,
    taps,
    pool: options.pool ?? card.pool,
    normalize: options.normalize ?? card.normalize,
    dimensions: known.dimensions ?? options.dimensions ?? card.dimensions,
    dtype,
    ...(calibration !== undefined && { calibration }),
    ...(modality !== 'text' && modality !== 'tensor' && card.image && { image: imageRecipe(card.image) }),
    ...(modality !== 'image' && modality !== 'tensor' && { text: textRecipe(known, options, prompt) }),
    ...(modality === 'tensor' && card.featureAxis !== undefined && { featureAxis: card.featureAxis }),
    ...(Object.keys(inputs).length > 0 && { inputs }),
    ...((card.together === 'equal' || card.together === 'none') && { together: card.together }),
    ...(scale !== undefined && { logits: { scale, ...(bias !== undefined && { bias }) } }),
  }
}

function imageRecipe(image: ImagePreprocessing): NonNullable<Recipe['image']> {
  const { size, crop, cropRatio = 1, resize, interpolation, channels, order, mean, std } = image
  const { background = [255, 255, 255] } = image
  // A size to resize to leaves the share that is kept without effect.
  const kept = resize === undefined ? { cropRatio } : { resize }
  const grey = channels === 1 ? { channels } : {}
  const reversed = order === 'bgr' ? { order } : {}
  return { size, crop, ...kept, interpolation, ...grey, ...reversed, mean, std, background }
}

function textRecipe(known: KnownModel, options: EmbedderOptions, prompt: string): RecipeText {
  const { text } = known.card
  const maxLength = options.maxLength ?? text?.maxLength ?? MAX_LENGTH
  const own = options.prompt === undefined ? promptsFor(text?.prompts) : {}
  return {
    ...(known.tokenizerHash !== undefined && { tokenizer: known.tokenizerHash }),
    lowercase: text?.lowercase ?? false,
    ...(text?.clean && { clean: text.clean }),
    ...(text?.padding && { padding: text.padding }),
    ...(text?.positions && { positions: text.positions }),
    maxLength,
    ...(options.chunk && { chunk: chunkRecipe(options.chunk, maxLength) }),
    prompt,
    prompts: text?.prompts ?? {},
    ...(Object.keys(own).length > 0 && { promptsFor: own }),
  }
}

/** Special tokens that a chunk has at most: so many more than 64, and its neighbours share 32 by default. */
const MOST_SPECIALS = 8

function chunkRecipe(
  { tokens: given, overlap, pool = 'mean' }: NonNullable<EmbedderOptions['chunk']>,
  maxLength: number,
): NonNullable<RecipeText['chunk']> {
  const tokens = given ?? maxLength
  const shared = overlap ?? (tokens >= 64 + MOST_SPECIALS ? 32 : undefined)
  return { tokens, pool, ...(shared !== undefined && { overlap: shared }) }
}

/**
 * A key of what gives an embedder's vectors: the same for whatever names and words say the same, another one for all that changes a vector.
 *
 * @example
 * ```ts
 * recipeKey(await resolveRecipe('all-MiniLM-L6-v2', { tap: 'hidden_states.6' })) ===
 *   recipeKey(await resolveRecipe('all-MiniLM-L6-v2'))   // true: that is its last layer
 * ```
 *
 * @returns 32 hexadecimal digits
 * @throws PipiloError `OPTION_INVALID` for what is no recipe
 */
export function recipeKey(recipe: Recipe): string {
  checkRecipe(recipe)
  const { source, text, ...rest } = recipe
  // Search and index ask for their prompts call by call.
  const { promptsFor: _, ...own } = text ?? {}
  return keyOf({ ...rest, ...(text && { text: own }), model: [source.fingerprint, source.tower] })
}

/** A key of what becomes of a text before it is tokens: its prompt, and how much of it is read. */
export function readingKey({ text }: Recipe): string {
  return keyOf({ prompt: text?.prompt, maxLength: text?.maxLength, chunk: text?.chunk })
}

/** The options of some roles, in the order of their names and without those that say nothing, as a key. */
export function optionsKey(options: EmbedderOptions, ...roles: readonly OptionRole[]): string {
  const chosen = Object.entries(optionRoles).filter(([, role]) => roles.includes(role))
  const { tap, strict, dtype, inputs = {}, ...rest } = options
  // One tap alone and in an array, and defaults that hold for every model, are the same.
  const said: EmbedderOptions = {
    ...rest,
    ...(tap !== undefined && { tap: [tap].flat() }),
    ...(strict === false && { strict }),
    ...(dtype !== undefined && dtype !== 'fp32' && { dtype }),
    ...(Object.keys(inputs).length > 0 && { inputs: writtenValues(inputs) }),
  }
  return canonicalJson(
    Object.fromEntries(chosen.map(([name]) => [name, said[name as keyof EmbedderOptions]])),
  )
}

const keyOf = (data: unknown): string => sha256(canonicalJson(data)).slice(0, 32)

/** The options that make an embedder of a model what a recipe says, but for the model's name. */
export function recipeOptions({
  source,
  taps,
  pool,
  normalize,
  dtype,
  text,
  ...rest
}: Recipe): EmbedderOptions {
  const { revision, card, strict, architecture, prefix, size } = source
  const { modality, dimensions, inputs } = rest
  return {
    modality,
    ...(modality !== 'text-image' && { tap: taps }),
    pool,
    normalize,
    ...(dimensions > 0 && { dimensions }),
    ...(dtype !== 'fp32' && { dtype }),
    ...(revision !== undefined && { revision }),
    ...(card && { card }),
    ...(strict !== undefined && { strict }),
    ...(architecture !== undefined && { architecture }),
    ...(prefix !== undefined && { prefix }),
    ...(size && { size }),
    ...(inputs && { inputs }),
    ...(text && {
      // Queries and documents have their own prompts, unless another one was asked for.
      ...(text.promptsFor === undefined && { prompt: { text: text.prompt } }),
      maxLength: text.maxLength,
      ...(text.chunk && { chunk: text.chunk }),
    }),
  }
}

/**
 * The recipe with another prompt for every text.
 *
 * @throws PipiloError `PROMPT_UNKNOWN`, `OPTION_INVALID`
 */
export function withPrompt(recipe: Recipe, prompt: Prompt): Recipe {
  const { source, modality, text } = recipe
  const card = text ? { text: { maxLength: text.maxLength, prompts: text.prompts } } : {}
  const words = promptWords({ name: source.name, modality, card }, prompt)
  return text ? { ...recipe, text: { ...text, prompt: words } } : recipe
}
