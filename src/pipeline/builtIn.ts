// Operators that come with Pipilo: embedding of texts and pictures, decoding of pictures.
import { availableParallelism } from 'node:os'
import { checkOptions, is, type OptionTable, PipiloError } from '../base/index.ts'
import {
  type AnyInput,
  type EmbedderOptions,
  embedderOptionTypes,
  type RawImage,
  refusePrompt,
  type TextImageInput,
} from '../embed/index.ts'
import { defaultImageModel, defaultTextImageModel, defaultTextModel, type Modality } from '../models/index.ts'
import type { Matrix } from '../tensor/index.ts'
import type {
  BuiltInOperators,
  EmbeddingOperatorOptions,
  ImageDecodeOptions,
  ImageInput,
  TextImageEmbeddingOptions,
  TokenEmbeddingOptions,
} from './builtInTypes.ts'
import { type BatchDefinition, defineOperator, type OpenOperator, type Operators } from './operator.ts'
import { lookUpProperty } from './registry.ts'
import { share } from './shared.ts'

/** Modality of the operators that come with Pipilo; no model takes whatever tensors there are. */
export type OperatorModality = Exclude<Modality, 'tensor'>

/** The models that are used where none is named. */
const defaultModels: Readonly<Record<OperatorModality, string>> = {
  text: defaultTextModel,
  image: defaultImageModel,
  'text-image': defaultTextImageModel,
}

const operatorOptionTypes: OptionTable<EmbeddingOperatorOptions> = {
  ...embedderOptionTypes,
  model: is.any,
  batch: is.count(1),
}

/** Those of an operator, without some. */
const without = (...names: readonly (keyof EmbeddingOperatorOptions)[]) =>
  Object.fromEntries(
    Object.entries(operatorOptionTypes).filter(([name]) => !names.some((left) => left === name)),
  )

/**
 * Batches through an embedder that is shared with whoever else asks for the same. Two at a time: one
 * is tokenised or decoded while the other runs.
 */
function embedding<In extends AnyInput, Out extends Float32Array | Matrix>(
  modality: OperatorModality,
  { model = defaultModel(modality), batch, ...options }: EmbeddingOperatorOptions,
  defaultBatch: number,
  asInput: (input: In) => AnyInput = (input) => input,
): BatchDefinition<In, Out> {
  return {
    batch: batch ?? defaultBatch,
    concurrency: 2,
    async open(): Promise<OpenOperator<In, Out>> {
      const { embedder, release } = await share(model, options)
      try {
        checkModality(embedder, modality)
      } catch (error) {
        await release()
        throw error
      }
      return {
        async run(inputs, { signal }) {
          const { vectors, errors } = await embedder.embed(inputs.map(asInput), { onError: 'skip', signal })
          const results = vectors as (Out | Error)[]
          for (const { index, error } of errors) results[index] = error
          return results
        },
        close: release,
      }
    },
  }
}

/** @throws PipiloError `OPTION_INVALID` if the model is for another kind of input */
export function checkModality(model: { name: string; modality: Modality }, wanted: OperatorModality): void {
  if (model.modality === wanted) return
  const both = model.modality === 'text-image' || wanted === 'text-image'
  throw new PipiloError(
    'OPTION_INVALID',
    `${model.name} is a model for ${model.modality}, not for ${wanted}.`,
    {
      input: model.name,
      hint: both
        ? `For texts and pictures in one space: pipeline('text-image-embedding', { model }), with a model such as ${exampleModel}.`
        : `Leave the model out for the default, ${defaultModel(wanted)}.`,
    },
  )
}

/** A model of texts and pictures, for hints. */
const exampleModel = 'hf:openai/clip-vit-base-patch32'

/** The model that is used where none is named. */
export function defaultModel(modality: OperatorModality): string {
  return defaultModels[modality]
}

defineOperator('textEmbedding.transformers', (options: TokenEmbeddingOptions = {}) => {
  checkOptions('textEmbedding.transformers', options, without('pool', 'normalize', 'dimensions', 'chunk'))
  const whole: EmbedderOptions = { ...options, pool: 'none', normalize: false }
  return embedding<string, Matrix>('text', whole, 32)
})

defineOperator('textEmbedding.sentence', (options: EmbeddingOperatorOptions = {}) => {
  checkOptions<EmbeddingOperatorOptions>('textEmbedding.sentence', options, operatorOptionTypes)
  if (options.pool === 'none' || options.chunk?.pool === 'keep')
    throw new PipiloError('OPTION_INVALID', 'textEmbedding.sentence gives one vector a text.', {
      hint: "For a matrix of tokens use textEmbedding.transformers; for a vector a chunk, an embedder's stream.",
    })
  return embedding<string, Float32Array>('text', options, 256)
})

defineOperator('imageEmbedding.timm', (options: EmbeddingOperatorOptions = {}) => {
  checkOptions<EmbeddingOperatorOptions>('imageEmbedding.timm', options, operatorOptionTypes)
  return embedding<ImageInput, Float32Array | Matrix>('image', options, 8)
})

defineOperator('textImageEmbedding.clip', (given: TextImageEmbeddingOptions = {}) => {
  checkOptions('textImageEmbedding.clip', given, {
    ...without('tap', 'pool'),
    modality: is.oneOf(['text', 'image']),
  })
  const { modality, ...options } = given
  if (modality === 'image')
    refusePrompt(options.prompt, "textImageEmbedding.clip with modality: 'image' embeds pictures")
  const batch = { text: 256, image: 8, both: 64 }[modality ?? 'both']
  return embedding<AnyInput, Float32Array>('text-image', options, batch, (input) =>
    modality === undefined ? input : ({ [modality]: input } as TextImageInput),
  )
})

defineOperator('imageDecode', (options: ImageDecodeOptions = {}) => {
  checkOptions<ImageDecodeOptions>('imageDecode', options, { maxPixels: is.count(1) })
  return decoding(options)
})

const decoding = ({ maxPixels }: ImageDecodeOptions): BatchDefinition<ImageInput, RawImage> => ({
  batch: 1,
  // sharp decodes on threads of its own; decoded pictures are large, so not many wait.
  concurrency: Math.min(4, availableParallelism() + 1),
  async open() {
    const { decodeImage } = await import('../embed/index.ts')
    return {
      run: (inputs: readonly ImageInput[], { signal }: { signal: AbortSignal }): Promise<RawImage[]> =>
        Promise.all(
          inputs.map((input) => decodeImage(input, undefined, { signal, ...(maxPixels && { maxPixels }) })),
        ),
    }
  },
})

/**
 * Operators by name, for `pipe` and `dc`: those that come with Pipilo, and those of {@link defineOperator}.
 *
 * @example
 * ```ts
 * pipe.input('path').map('path', 'image', ops.imageDecode()).map('image', 'vector', ops.imageEmbedding.timm())
 * ```
 *
 * @throws PipiloError `OPERATOR_UNKNOWN` with the closest names
 */
export const ops = new Proxy(
  {},
  { get: (_, property) => lookUpProperty('', property, (factory) => factory) },
) as BuiltInOperators & Operators
