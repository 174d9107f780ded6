/** Objectives, and the scope in which one builds the loss of a batch. */
import type { DatasetRow } from '../embed/index.ts'
import type { Builder, Graph, Shape, Value } from '../graph/index.ts'
import type { Parameters } from '../nn/index.ts'
import type { Tensor, TypedArray } from '../tensor/index.ts'
import type { PictureOptions } from './data/pictures.ts'

/** A loss, and further numbers to watch; all scalars. */
export interface Loss {
  readonly loss: Value
  readonly metrics?: Readonly<Record<string, Value>>
}

/**
 * Aim of training: builds the loss of one batch.
 *
 * @example
 * ```ts
 * const objective: Objective = {
 *   name: 'classification',
 *   build: (scope) => {
 *     const [logits] = scope.network({ pixel_values: scope.pixels() }, ['logits'])
 *     return { loss: crossEntropy(logits!, scope.labels()) }
 *   },
 * }
 * ```
 */
export interface Objective {
  readonly name: string
  /** Views of each picture, augmented apart. Default 1. */
  readonly views?: number
  /** Rows of a batch that the objective needs at least. Default 1. */
  readonly leastBatch?: number
  /** Rules for the rows of a batch: classes that never repeat, or several rows of each. Default: none. */
  readonly sampling?: 'distinct' | 'classes'
  /** How the moving average of the weights, which {@link Scope.teacher} runs, follows them. Needed by objectives that ask for it. */
  readonly teacher?: TeacherOptions
  /** Largest values of parameters, to which each step cuts them back: CLIP's temperature. */
  readonly limits?: Readonly<Record<string, number>>
  /** Numbers that are worked out for each row beside what the data has: a teacher's vectors. {@link Scope.numbers} gives them. */
  readonly derived?: DerivedColumn
  build(scope: Scope): Loss
}

/** A column that is worked out from each row once, before its first batch, and kept in a temporary file. */
export interface DerivedColumn {
  /** Name for {@link Scope.numbers}. */
  readonly name: string
  /** Numbers a row. */
  readonly size: number
  /** Says what the numbers are: a run with another key is another run. */
  readonly key: string
  /** Called once a run, when the first row is wanted. */
  open(): Promise<DerivedSource>
}

/** An opened {@link DerivedColumn}. */
export interface DerivedSource {
  /** Float32 numbers of each row. `nameOf` names the row at a place, for errors. */
  of(rows: readonly DatasetRow[], nameOf: (place: number) => string): Promise<readonly Float32Array[]>
  close(): Promise<void>
}

/** A moving average of the weights: `teacher = momentum · teacher + (1 - momentum) · weights` after each step. */
export interface TeacherOptions {
  /** At the beginning. */
  readonly momentum: number
  /** At the end of the run. Default: as at the beginning. */
  readonly finalMomentum?: number
  /** From one to the other: `cosine` (BYOL) or `linear` (data2vec). Default `cosine`. */
  readonly schedule?: 'cosine' | 'linear'
  /** Steps until the final momentum is reached. Default: all of the run's. */
  readonly steps?: number
  /** `training`: the teacher uses the statistics of its batch and its masks, as BYOL's; `inference`: neither. Default `training`. */
  readonly mode?: 'training' | 'inference'
}

/** The parts that an objective builds a loss from. Each input that it asks for is fed from the batch. */
export interface Scope {
  readonly builder: Builder
  /** Rows of a batch. */
  readonly batch: number
  /** Seed of the run. */
  readonly seed: number
  /** Names of the classes, where the data has labels. */
  readonly classes: readonly string[] | undefined
  /** Parameters of the objective's own (projection heads, temperatures), drawn from the seed and trained with the network's. */
  readonly parameters: Parameters
  /** Pictures as the network takes them (normalised): float32 [batch, channels, height, width]. Views are augmented apart. */
  pixels(view?: number): Value
  /** The same before normalisation: 0 to 1. */
  rawPixels(view?: number): Value
  /** A column of texts, tokenised: `input_ids`, `attention_mask`, … as the network takes them, int64 [batch, sequence]. */
  texts(column: string): Readonly<Record<string, Value>>
  /** A column of texts of which some tokens are hidden, others in each step: see `tokenMask`. The network has to say how: {@link NetworkText.masking}. */
  maskedTexts(column: string, options?: MaskedTextsOptions): MaskedTexts
  /** A column of class indices, int64 [batch]. Default column `label`. */
  labels(column?: string): Value
  /** A column of numbers, float32 [batch, …shape]. */
  numbers(column: string, shape?: readonly number[]): Value
  /** An input that is drawn anew for each step; the same seed and step draw the same. */
  drawn(name: string, dtype: 'float32' | 'int64' | 'bool', shape: Shape, draw: Draw): Value
  /** Names of the network's outputs. */
  readonly outputs: readonly string[]
  /** Runs the network; a second time with the same weights. Masks differ, and running statistics follow both. */
  network(inputs: Readonly<Record<string, Value>>, outputs: readonly string[]): Value[]
  /** Runs the network up to its representation: the embedding, below the head. */
  embed(inputs: Readonly<Record<string, Value>>): Value
  /** Runs the network of texts up to its last layer: a vector a token, [batch, sequence, width]. */
  tokens(inputs: Readonly<Record<string, Value>>): Value
  /** The vectors of words that the network reads, [words, width]; to be asked for behind {@link Scope.tokens}. */
  wordTable(): Value
  /** All that `build` runs uses the moving average of the weights, of the objective's own too; no gradient flows into it. */
  teacher<T>(build: () => T): T
}

/** Options of {@link Scope.maskedTexts}; the rest of the chosen tokens stays as it is. */
export interface MaskedTextsOptions {
  /** Part of the tokens that is chosen. Default 0.15. */
  readonly ratio?: number
  /** Part of the chosen tokens that becomes the mask. Default 0.8. */
  readonly masked?: number
  /** Part of the chosen tokens that becomes a random one. Default 0.1. */
  readonly random?: number
}

/** Texts with hidden tokens. */
export interface MaskedTexts {
  /** `input_ids`, `attention_mask`, … as the network takes them. */
  readonly inputs: Readonly<Record<string, Value>>
  /** Places of the chosen tokens among all of the batch, row after row: int64 [chosen]. */
  readonly positions: Value
  /** The tokens that were there: int64 [chosen]; -100 at the end, where the number is rounded up. */
  readonly labels: Value
}

/** Draws the elements of an input from the run's seed, the number of the step, and the indices of the batch's rows. */
export type Draw = (at: {
  readonly seed: number
  readonly step: number
  readonly rows: readonly number[]
}) => TypedArray

/** A network in the form that is trained. */
export interface Network {
  /** The architecture's name. */
  readonly name: string
  /** With dropout and batch statistics; parameters have their roles. */
  readonly training: Graph
  /** The same without. */
  readonly inference: Graph
  /** Value that is the embedding: it stands below the head. */
  readonly representation: string
  /** The only weights that are trained, beside the objective's own: LoRA's matrices. Default: all. */
  readonly trainable?: readonly string[]
  /** Preparation of pictures: values from 0 to 1 are shifted and scaled so. */
  readonly image?: NetworkImage
  /** Preparation of texts. */
  readonly text?: NetworkText
  /** Writes the network with these weights into a folder that `embedder` and Python open. */
  write?(folder: string, weights: ReadonlyMap<string, Tensor>): Promise<void>
}

/** How pictures are given to a network. */
export interface NetworkImage {
  readonly size: readonly [height: number, width: number]
  readonly channels: 1 | 3
  /** Per channel. Default 0. */
  readonly mean?: readonly number[]
  /** Per channel. Default 1. */
  readonly std?: readonly number[]
  /** How pictures are brought to this size, unless they are augmented from another. Default: the shorter side is resized, the middle kept. */
  readonly preparation?: Pick<
    PictureOptions,
    'crop' | 'cropRatio' | 'resize' | 'interpolation' | 'background'
  >
}

/** How texts are given to a network. */
export interface NetworkText {
  /** Token ids of each text, special tokens included, cut to the model's limit. */
  encode(texts: readonly string[]): readonly (readonly number[])[]
  readonly paddingId: number
  /** Parts that hidden tokens are predicted with; missing where the model has no token for them. */
  readonly masking?: NetworkMasking
}

/** How tokens of a network are hidden and predicted. */
export interface NetworkMasking {
  /** Value that is the last layer's output, [batch, sequence, width]. */
  readonly tokens: string
  /** Weight that is the table of words, [words, width]. */
  readonly table: string
  readonly maskId: number
  readonly vocabularySize: number
  /** Ids that are never chosen. */
  readonly specialIds: readonly number[]
}
