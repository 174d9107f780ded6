// Types of attributions: options and results.
import type { Prompt, RawImage } from '../../embed/index.ts'
import type { CompileOptions } from '../../runtime/index.ts'

/** The way from gradients to shares: see `attribute`. */
export type AttributionMethod = 'integrated-gradients' | 'gradient'

/** The input that counts as nothing: see `attribute`. */
export type AttributionBaseline = 'mean' | 'black' | 'blurred' | 'padding'

/** Options of `attribute`. */
export interface AttributeOptions {
  /** Default `integrated-gradients`. */
  readonly method?: AttributionMethod
  /** Points between baseline and input at which gradients are taken, for integrated gradients. Default 32. */
  readonly steps?: number
  /**
   * For pictures `blurred` (the default: the picture itself, blurred by a sixteenth of its shorter side), `mean` (the mean colour that the model
   * subtracts) or `black`; for texts `padding`.
   */
  readonly baseline?: AttributionBaseline
  /** Points that are run at a time. Default 8. */
  readonly batch?: number
  /** Prompt of a text; its tokens have shares too. Default: the embedder's. */
  readonly prompt?: Prompt
  /** Threads and folders of the session; it runs on the CPU. Default: one worker. */
  readonly runtime?: Pick<CompileOptions, 'workers' | 'threads' | 'cacheDir'>
  readonly signal?: AbortSignal
}

/** Numbers that every attribution has. */
interface Shares {
  readonly method: AttributionMethod
  /** Cosine of the input's embedding with the other. */
  readonly similarity: number
  /** The same of the baseline. */
  readonly baseline: number
  /** Sum of all shares less `similarity - baseline`: how far the integral is off. For `gradient` it says little. */
  readonly difference: number
}

/** Shares of pixels. */
export interface ImageAttribution extends Shares {
  readonly kind: 'image'
  /** Size of the picture that the model sees. */
  readonly width: number
  readonly height: number
  /** [height × width], row after row: each pixel's share of the similarity, summed over channels. */
  readonly values: Float32Array
  /** The picture as the model sees it: resized and cropped. */
  readonly seen: RawImage
}

/** A token and its share of the similarity. */
export interface TokenShare {
  /** As the vocabulary writes it: `tow`, `##hee`. */
  readonly text: string
  /** It stands around every text. */
  readonly special: boolean
  /** UTF-16 units of the input from `start` to `end`, exclusive; missing for special tokens, a prompt's, and where it is not certain. */
  readonly start?: number
  readonly end?: number
  readonly value: number
}

/** Shares of tokens. */
export interface TextAttribution extends Shares {
  readonly kind: 'text'
  readonly tokens: readonly TokenShare[]
  /** The text was longer than the model's limit: its end has no share. */
  readonly truncated: boolean
}

export type Attribution = ImageAttribution | TextAttribution
