import { availableParallelism } from 'node:os'
import type { EmbedderOptions, RawImage } from '../embed/index.ts'
import { defaultImageModel, defaultTextModel, type InputModality, type Modality } from '../models/index.ts'
import { type Matrix, PipiloError } from '../tensor/index.ts'
import type {
  BuiltInOperators,
  EmbeddingOperatorOptions,
  ImageDecodeOptions,
  ImageInput,
  TokenEmbeddingOptions,
} from './builtInTypes.ts'
import { type BatchDefinition, defineOperator, type OpenOperator, type Operators } from './operator.ts'
import { lookUpProperty } from './registry.ts'
import { share } from './shared.ts'

/** The model that is used where none is named. */
export const defaultModels: Readonly<Record<InputModality, string>> = {
  text: defaultTextModel,
  image: defaultImageModel,
}

/**
 * Batches through an embedder that is shared with whoever else asks for the same model and options. Two at a time: one
 * is tokenised or decoded while the other runs.
 */
function embedding<In extends ImageInput, Out extends Float32Array | Matrix>(
  modality: InputModality,
  { model = defaultModels[modality], batch, ...options }: EmbeddingOperatorOptions,
  defaultBatch: number,
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
          const { vectors, errors } = await embedder.embed(inputs, { onError: 'skip', signal })
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
export function checkModality(model: { name: string; modality: Modality }, wanted: InputModality): void {
  if (model.modality === wanted) return
  throw new PipiloError(
    'OPTION_INVALID',
    `${model.name} is a model for ${model.modality}, not for ${wanted}.`,
    {
      input: model.name,
      hint: `Leave the model out for the default, ${defaultModels[wanted]}.`,
    },
  )
}

defineOperator('textEmbedding.transformers', (options: TokenEmbeddingOptions = {}) => {
  const whole: EmbedderOptions = { ...options, pool: 'none', normalize: false }
  return embedding<string, Matrix>('text', whole, 32)
})

defineOperator('textEmbedding.sentence', (options: EmbeddingOperatorOptions = {}) => {
  if (options.pool === 'none' || options.chunk?.pool === 'keep')
    throw new PipiloError('OPTION_INVALID', 'textEmbedding.sentence gives one vector a text.', {
      hint: "For a matrix of tokens use textEmbedding.transformers; for a vector a chunk, an embedder's stream.",
    })
  return embedding<string, Float32Array>('text', options, 256)
})

defineOperator('imageEmbedding.timm', (options: EmbeddingOperatorOptions = {}) =>
  embedding<ImageInput, Float32Array | Matrix>('image', options, 8),
)

defineOperator('imageDecode', ({ maxPixels }: ImageDecodeOptions = {}) => ({
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
}))

/**
 * Operators by name, for `pipe` and `dc`: those that come with Pipilo, and those of {@link defineOperator}.
 *
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
