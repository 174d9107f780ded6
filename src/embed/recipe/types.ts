// Types of recipes: an embedder as plain data.
import type {
  Card,
  ImagePreprocessing,
  Modality,
  Opened,
  Pooling,
  TextPreprocessing,
} from '../../models/index.ts'

/**
 * An embedder as plain data that can be written as JSON: whoever opens it again gets the same vectors.
 *
 * @example
 * ```ts
 * const recipe = await resolveRecipe('all-MiniLM-L6-v2', { dimensions: 128 })
 * await writeFile('recipe.json', JSON.stringify(recipe))
 * const e = await openRecipe(recipe)
 * ```
 *
 * @remarks
 * Defaults are filled in and names resolved, so that what is said in other words is the same recipe.
 */
export interface Recipe {
  /** Of this form. */
  readonly version: 1
  readonly source: RecipeSource
  readonly modality: Modality
  /** Names of values of the graph, in the order in which what they give is concatenated. */
  readonly taps: readonly string[]
  readonly pool: Pooling
  readonly normalize: boolean
  /** Length of a vector; 0 where only running the model tells. */
  readonly dimensions: number
  readonly dtype: Opened['dtype']
  /** Hash of the pixels of the caller's pictures, where those calibrated the model. */
  readonly calibration?: string
  /** How pictures are prepared, with the size that the model is built for. */
  readonly image?: Required<Omit<ImagePreprocessing, 'resize' | 'cropRatio' | 'channels' | 'order'>> &
    Pick<ImagePreprocessing, 'resize' | 'cropRatio' | 'channels' | 'order'>
  /** How texts are prepared. */
  readonly text?: RecipeText
  /** Axis of the tapped tensors that holds their features, where the graph does not show it. */
  readonly featureAxis?: number
  /** Values of further inputs of the graph, as decimal numbers by their names. */
  readonly inputs?: Readonly<Record<string, string>>
  /** Inputs that run in one batch, where those are not any. */
  readonly together?: Card['together']
  /** Of models of two towers: what turns cosines into probabilities. */
  readonly logits?: { readonly scale: number; readonly bias?: number }
}

/** The model of a {@link Recipe}. Only the fingerprint says which it is: a model has several names. */
export interface RecipeSource extends Omit<Opened, 'dtype' | 'calibration'> {
  /** The model's fingerprint: weights and architecture, in the recipe's precision. */
  readonly fingerprint: string
  /** Of a model behind HTTP (`remote`): its address and interface. Its fingerprint is of these and the name, as its weights are not seen. */
  readonly remote?: { readonly url: string; readonly api: string }
}

/** How a {@link Recipe} prepares texts. */
export interface RecipeText extends Pick<TextPreprocessing, 'clean' | 'padding' | 'positions'> {
  /** A hash of the tokenizer's file. */
  readonly tokenizer?: string
  readonly lowercase: boolean
  /** Tokens read of a text or of each of its chunks. */
  readonly maxLength: number
  /** Chunks that long texts are split into, as in `ChunkOptions`; `overlap` is missing where it is half of a small chunk. */
  readonly chunk?: { readonly tokens: number; readonly overlap?: number; readonly pool: 'mean' | 'keep' }
  /** Words before every text unless a call says otherwise. */
  readonly prompt: string
  /** Words by the names that calls may use. */
  readonly prompts: Readonly<Record<string, string>>
  /**
   * Names of the prompts that `search` and `index` use by themselves, where the model has them and no prompt was asked for when it was
   * opened: `query` before what is searched for, `document` (else `passage`, `corpus`) before what is found.
   */
  readonly promptsFor?: PromptsFor
}

/** Names of prompts by what a text is for. */
export interface PromptsFor {
  readonly query?: string
  readonly document?: string
}
