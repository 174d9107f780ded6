// Types of the operators that come with Pipilo, and their options.
import type { EmbedderOptions, Input, RawImage, TextImageInput } from '../embed/index.ts'
import type { Model, TowerModality } from '../models/index.ts'
import type { Matrix } from '../tensor/index.ts'
import type { Operator } from './operator.ts'

/** Options of the embedding operators: those of an embedder, and which one. */
export interface EmbeddingOperatorOptions extends EmbedderOptions {
  /** A card's name, or where the model comes from: `npm:`, `hf:`, `file:`, `https:`; or a model that is open. Default: the model of that kind that works offline. */
  readonly model?: string | Model
  /** Inputs that are embedded together at most. Default 256 texts, 32 for matrices, 8 images. */
  readonly batch?: number
}

/** Options of `textEmbedding.transformers`, which gives every token as it leaves the model. */
export type TokenEmbeddingOptions = Omit<
  EmbeddingOperatorOptions,
  'pool' | 'normalize' | 'dimensions' | 'chunk'
>

export type SentenceEmbeddingOptions = EmbeddingOperatorOptions & {
  readonly pool?: Exclude<EmbedderOptions['pool'], 'none' | undefined>
  readonly chunk?: EmbedderOptions['chunk'] & { readonly pool?: 'mean' }
}

/** Image options with which every position of the feature map is kept. */
export type PositionEmbeddingOptions = Omit<EmbeddingOperatorOptions, 'prompt'> & { readonly pool: 'none' }

export type ImageEmbeddingOptions = Omit<EmbeddingOperatorOptions, 'prompt'> & {
  readonly pool?: Exclude<EmbedderOptions['pool'], 'none' | undefined>
}

/** Options of `textImageEmbedding.clip`. */
export interface TextImageEmbeddingOptions
  extends Omit<EmbeddingOperatorOptions, 'modality' | 'tap' | 'pool'> {
  /** Model, as `embedder` takes it: a name such as `hf:openai/clip-vit-base-patch32`, or one that is open. Default `emoji-clip`, which works offline. */
  readonly model?: string | Model
  /** Kind of the values: texts, or pictures. Default: each says so itself, `{ text }` or `{ image }`. */
  readonly modality?: TowerModality
}

export interface ImageDecodeOptions {
  /** Width × height above which a picture is refused before it is decoded. Default 268,402,689 (16,383²). */
  readonly maxPixels?: number
}

/** Input of `imageDecode` and the image embedders. */
export type ImageInput = Input

/** Operators that come with Pipilo, as `ops` has them. */
export interface BuiltInOperators {
  readonly textEmbedding: {
    /**
     * All tokens of a text, start and end tokens included, as they leave the model: a Matrix of tokens × hidden.
     * Neither pooled nor normalised.
     */
    transformers(options?: TokenEmbeddingOptions): Operator<string, Matrix>
    /** One vector a text, pooled and normalised as the model's card says. */
    sentence(options?: SentenceEmbeddingOptions): Operator<string, Float32Array>
  }
  /** Pictures from paths, URLs, bytes or Blobs: RGB, 8 bits a channel, upright. */
  imageDecode(options?: ImageDecodeOptions): Operator<ImageInput, RawImage>
  readonly imageEmbedding: {
    /** One vector a picture, or with `pool: 'none'` a Matrix of positions × channels. */
    timm(options: PositionEmbeddingOptions): Operator<ImageInput, Matrix>
    timm(options?: ImageEmbeddingOptions): Operator<ImageInput, Float32Array>
  }
  readonly textImageEmbedding: {
    /** One vector a text or a picture, in one space, from CLIP, SigLIP and their kin. */
    clip(options: TextImageEmbeddingOptions & { readonly modality: 'text' }): Operator<string, Float32Array>
    clip(
      options: Omit<TextImageEmbeddingOptions, 'prompt'> & { readonly modality: 'image' },
    ): Operator<ImageInput, Float32Array>
    clip(
      options?: TextImageEmbeddingOptions & { readonly modality?: undefined },
    ): Operator<TextImageInput, Float32Array>
  }
}
