/** Built-in recipes: a network, an objective and settings that go together. */
import type { ColumnName, Dataset } from '../../embed/index.ts'
import type { TrainOptions } from '../options.ts'

/** Choices of a user that a recipe starts from. */
export interface RecipeChoices {
  readonly data: Dataset
  readonly epochs: number
  readonly batch: number
  /** Learning rate. */
  readonly lr: number
  readonly seed: number
  /** Model to begin with, or architecture. Default: the recipe's. */
  readonly model?: string
  /** Rank of LoRA, for recipes that fine-tune. Default: all weights are trained. */
  readonly lora?: number
  /** Loss, of those that the recipe lists. Default: what the data has decides. */
  readonly loss?: string
  /** Score of the most similar pair, for recipes that learn from scores. Default: 1. */
  readonly scoreScale?: number
  /** Height and width of the pictures. Default: the recipe's. */
  readonly size?: number
  /** Ends the preparation, of recipes that run a model for it. */
  readonly signal?: AbortSignal
}

/** The parts of {@link TrainOptions} that a recipe decides. */
export interface RecipeParts extends RecipeOptions {
  /** Change of the data, and of what it is validated on, before the training. Default: none. */
  readonly transform?: (data: Dataset) => Promise<Dataset>
}

type RecipeOptions = Pick<
  TrainOptions,
  'network' | 'objective' | 'optimizer' | 'schedule' | 'groups' | 'clip' | 'augment' | 'decodeSize' | 'freeze'
>

/** A recipe. */
export interface TrainingRecipe {
  readonly name: string
  /** The model that it trains, in a line. */
  readonly summary: string
  /** The data it needs, in a line. */
  readonly needs: string
  /** Columns that the data must have. */
  readonly columns: readonly ColumnName[]
  readonly defaults: {
    readonly epochs: number
    readonly batch: number
    readonly lr: number
    /** Learning rate of LoRA's matrices, for recipes that heed {@link RecipeChoices.lora}. */
    readonly loraLr?: number
    readonly size?: number
    readonly model: string
    /** For recipes that learn from scores. */
    readonly scoreScale?: number
  }
  /** Losses that {@link RecipeChoices.loss} may name. Default: none. */
  readonly losses?: readonly string[]
  prepare(choices: RecipeChoices): Promise<RecipeParts> | RecipeParts
}
