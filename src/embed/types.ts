// Types of embedders: inputs, options, results.
import type { PipiloError } from '../base/index.ts'
import type { Card, EmbeddingOptions, Modality, Model, OpenOptions, Pooling } from '../models/index.ts'
import type { CompileOptions, Device } from '../runtime/index.ts'
import type { DType, InputValues, Matrix, TypedArray } from '../tensor/index.ts'
import type { Recipe } from './recipe/types.ts'

/** A decoded picture: `data` is row-major, interleaved; 8 bits a channel. */
export interface RawImage {
  readonly width: number
  readonly height: number
  /** 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA. */
  readonly channels: 1 | 2 | 3 | 4
  readonly data: Uint8Array
}

/**
 * For text models a string is the text; for image models a path or URL (`file:`, `http:`, `https:`, `data:`); for models of tensors the path or
 * `file:` URL of a `.npy` file.
 */
export type Input = string | URL | Uint8Array | Blob | RawImage

/**
 * Input of a model of two towers: a text or a picture, and which of the two it is.
 *
 * @example
 * ```ts
 * const { vectors } = await e.embed([{ text: 'a red bird' }, { image: 'towhee.jpg' }])
 * ```
 */
export type TextImageInput =
  | { readonly text: string; readonly image?: never }
  | { readonly image: Input; readonly text?: never }

/** Numbers with their shape, row-major: without the batch axis, or with one of 1. */
export interface ShapedNumbers {
  readonly shape: readonly number[]
  readonly data: TypedArray | readonly (number | bigint | boolean | string)[]
  /** Dtype of what the array holds, where that is bit patterns (`float16`). Default: what its class says. */
  readonly dtype?: DType
}

/**
 * Input of a model of tensors: for a graph of one input its numbers, for others an object by the inputs' names.
 *
 * @example
 * ```ts
 * await e.embed([samples])                                    // a Float32Array: the axis that the graph leaves open is as long as it
 * await e.embed([{ shape: [76, 32, 1], data: spectrogram }])
 * await e.embed([{ audio: samples, sr: 16000n }])
 * ```
 *
 * @remarks
 * The batch axis is added. Numbers are converted to the graph's dtype where that holds them (floats are rounded); nothing is scaled,
 * padded or cut.
 */
export type TensorInput =
  | TypedArray
  | ShapedNumbers
  | { readonly [name: string]: TypedArray | ShapedNumbers | number | bigint | boolean | string }

/** Input of any embedder; the model's modality decides which kinds it takes. */
export type AnyInput = Input | TextImageInput | TensorInput

/**
 * Words before every text: the name of one of the model's prompts, or the words as they are.
 *
 * @example
 * ```ts
 * await e.embed(['owls'], { prompt: 'query' })                 // what the model's files call query
 * await e.embed(['owls'], { prompt: { text: 'query: ' } })     // these very words
 * await e.embed(['owls'], { prompt: { text: '' } })            // nothing, whatever the default; '' does the same
 * ```
 *
 * @remarks
 * A name that the model does not have is `PROMPT_UNKNOWN`. Prompts of a model are those of its card: for sentence-transformers' folders
 * `prompts` in `config_sentence_transformers.json`.
 */
export type Prompt = string | { readonly text: string }

/**
 * Paths and addresses that inputs may name. Content (bytes, pixels, `data:`) is always taken.
 *
 * @example
 * ```ts
 * await embedder('mobilenet-v2', { allow: { paths: false, urls: false } })                        // only what is sent
 * await embedder('mobilenet-v2', { allow: { paths: ['/srv/photos'], hosts: ['*.example.org'] } })
 * ```
 *
 * @remarks What may not be read is `INPUT_DENIED`, whether it is there or not. Names of hosts are compared, also of redirects, and not where they lead: a name
 * that you allow may lead into your own network.
 */
export interface Allow {
  /** Files: any, none, or those in these folders, links followed. Default `true`. */
  readonly paths?: boolean | readonly string[]
  /** Addresses (`http:`, `https:`). Default `true`. */
  readonly urls?: boolean
  /** Hosts from which is fetched: names, or `*.name` for all below one. Default: any. */
  readonly hosts?: readonly string[]
}

export interface EmbedderOptions
  extends OpenOptions,
    Pick<EmbeddingOptions, 'tap' | 'pool' | 'normalize' | 'dimensions'> {
  /** Required modality; a model of another is refused. With `text-image` the compiler knows what the embedder takes. */
  readonly modality?: Modality
  /** Prompt of every text unless a call says otherwise. Default: the card's default prompt, if it has one. */
  readonly prompt?: Prompt
  /** Tokens read of a text. Default: the card's. */
  readonly maxLength?: number
  /** Long texts: split into overlapping chunks. Default: truncate. */
  readonly chunk?: ChunkOptions
  /**
   * Values of inputs of the graph that are neither texts nor pictures, by their names: `{ task_id: 4 }`. Each holds its value
   * everywhere; axes whose size the graph leaves open are as long as the batch or the tokens where they bear the same symbol, else 1.
   * Default: none, and an input that asks for one is an error (`INPUT_UNKNOWN`).
   */
  readonly inputs?: InputValues
  /** Tokens (text, padding included) or pixels (images) in a batch. Default 512 tokens, or 4 × 224 × 224 pixels. */
  readonly batchTokens?: number
  readonly batchPixels?: number
  /**
   * Tokens (texts) or pixels (images, in the model's size) that wait for a worker, over all calls but the one that has most waiting. A call
   * that would bring more fails at once with `BUSY`; a call alone never does. Default 4,194,304 tokens, or 67,108,864 pixels, which are
   * 1,337 pictures of 224 × 224.
   */
  readonly maxWaitingTokens?: number
  readonly maxWaitingPixels?: number
  /** Width × height above which a picture is refused before it is decoded. Default 268,402,689. */
  readonly maxPixels?: number
  /** For servers: what inputs that are paths and addresses may name. Default: everything. */
  readonly allow?: Allow
  /**
   * For convolutional models in int8: a few dozen typical pictures, from which the ranges of activations are read. Default: a few
   * that Pipilo makes itself. They are decoded at each opening; to keep what they gave, `export` the model.
   */
  readonly calibration?: readonly Input[]
  /**
   * Device on which the model runs: `webgpu`, `cuda`, `coreml`, `directml`. Default `cpu`. The first time, one input is run on the CPU as
   * well, and a difference is an error (`DEVICE_WRONG`): `Session.prove` in `pipilo/runtime` says how large.
   */
  readonly device?: Device
  /** Compare the device with the CPU again although it was right before. Default `false`. */
  readonly recheck?: boolean
  readonly runtime?: CompileOptions
}

export interface ChunkOptions {
  /** Tokens a chunk, special tokens included. Default: the model's limit. */
  readonly tokens?: number
  /** Tokens shared by neighbours, at most. Default 32, or half of a small chunk. */
  readonly overlap?: number
  /** `mean`: one vector an input, the mean weighted by tokens, renormalised. `keep`: one result a chunk. Default `mean`. */
  readonly pool?: 'mean' | 'keep'
}

export interface EmbedOptions {
  /** Default `throw`. */
  readonly onError?: 'throw' | 'skip'
  /** Prompt of the texts; pictures among them have none. Default: the embedder's. */
  readonly prompt?: Prompt
  /**
   * Texts of more tokens than the model's limit, special tokens and prompt included, lose their `end` or their `start` (the prompt
   * first), or are an `error` (`INPUT_TOO_LONG`). With `chunk` none is too long. Default: the side that the tokenizer's files say,
   * else `end`.
   */
  readonly truncate?: 'end' | 'start' | 'error'
  readonly signal?: AbortSignal
  readonly onProgress?: (event: { done: number; total: number }) => void
}

/** Place of a chunk in its input: characters (UTF-16 units) from `start` to `end`, exclusive. */
export interface ChunkPlace {
  readonly input: number
  readonly start: number
  readonly end: number
  readonly tokens: number
}

export interface EmbedResult<V extends Float32Array | Matrix = Float32Array> {
  /** In the caller's order: rows over `data`, or a Matrix an input for `pool: 'none'`. */
  readonly vectors: V[]
  /** All vectors, row after row. */
  readonly data: Float32Array
  readonly dimensions: number
  /** Indices of inputs that were cut to the model's limit. */
  readonly truncated: number[]
  /**
   * Tokens that the model read of each input, special tokens and prompt included: those of all its chunks together. 0 for pictures,
   * tensors and what failed.
   */
  readonly tokens: number[]
  /** With `onError: 'skip'`: what failed; its row is NaN (an empty Matrix for `pool: 'none'`). */
  readonly errors: { readonly index: number; readonly error: PipiloError }[]
  /** With `chunk: { pool: 'keep' }`: the place of each vector. */
  readonly chunks?: ChunkPlace[]
}

/** One result of {@link Embedder.stream}. */
export interface StreamResult<I = AnyInput, V extends Float32Array | Matrix = Float32Array> {
  readonly index: number
  readonly input: I
  readonly vector: V
  readonly truncated: boolean
  /** Tokens that the model read, special tokens and prompt included; 0 for pictures, tensors and what failed. */
  readonly tokens: number
  readonly error?: PipiloError
  readonly chunk?: ChunkPlace
}

/**
 * A model, a tap, a pooling, a normalisation, and a way to turn raw inputs into feeds. A model of texts takes strings, one of pictures
 * {@link Input}, one of both {@link TextImageInput}, one of tensors {@link TensorInput}.
 */
export interface Embedder<V extends Float32Array | Matrix = Float32Array, In extends AnyInput = AnyInput> {
  readonly name: string
  readonly modality: Modality
  readonly card: Card
  /** The model itself, with layers and graph. Loads the model on first call; a cached session is opened without it. */
  readonly model: () => Promise<Model>
  readonly dimensions: number
  /** The values of the graph that are read, joined by commas. */
  readonly tap: string
  readonly pool: Pooling
  readonly normalize: boolean
  /** Plain data that says what it is, that a collection remembers, and that opens it again. */
  readonly recipe: Recipe
  embed(inputs: readonly In[], options?: EmbedOptions): Promise<EmbedResult<V>>
  /** Results in order, memory bounded by a few batches. */
  stream<I extends In>(
    inputs: AsyncIterable<I> | Iterable<I>,
    options?: Omit<EmbedOptions, 'onProgress'>,
  ): AsyncGenerator<StreamResult<I, V>>
  /**
   * Frees the model's session. Calls of `embed` under way end as they would, a `stream` before its next batch with `DISPOSED`; later calls are refused.
   * A call that shall not go on is aborted by its `signal`.
   */
  dispose(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
