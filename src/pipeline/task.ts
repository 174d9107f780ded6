// Models as functions: `pipeline('text-embedding')` and its relatives.
import { checkOption, checkOptions, closest, is, PipiloError } from '../base/index.ts'
import {
  type AnyInput,
  type Embedder,
  type EmbedderOptions,
  type EmbedOptions,
  embedderOptionTypes,
  type Input,
  refusePrompt,
  type TextImageInput,
} from '../embed/index.ts'
import type { Model } from '../models/index.ts'
import type { Matrix } from '../tensor/index.ts'
import { checkModality, defaultModel, type OperatorModality } from './builtIn.ts'
import { share } from './shared.ts'

/** Tasks of {@link pipeline}. */
export type Task = 'text-embedding' | 'image-embedding' | 'text-image-embedding'

export interface PipelineOptions extends EmbedderOptions {
  /** A card's name, or where the model comes from; or a model that is open. Default: the default model of the task. */
  readonly model?: string | Model
}

/** One input for one vector, an array for an array. */
interface Calls<In, V, Options = EmbedOptions> {
  (input: In, options?: Options): Promise<V>
  /** With `onError: 'skip'` the vector of a bad input is all NaN. */
  (inputs: readonly In[], options?: Options): Promise<V[]>
}

interface Releases {
  /** Frees the model, unless another pipeline uses it. */
  dispose(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** A model as a function: one input for one vector, an array for an array. */
export interface Pipeline<In extends Input = Input, V extends Float32Array | Matrix = Float32Array>
  extends Calls<In, V>,
    Releases {
  readonly embedder: Embedder<V>
}

/** A model of texts and pictures as a function; `text` and `image` take them without saying so again. */
export interface TextImagePipeline extends Calls<TextImageInput, Float32Array>, Releases {
  readonly text: Calls<string, Float32Array>
  readonly image: Calls<Input, Float32Array, Omit<EmbedOptions, 'prompt'>>
  readonly embedder: Embedder<Float32Array, TextImageInput>
}

type SingleTask = Exclude<Task, 'text-image-embedding'>
type TaskInput<T extends SingleTask> = T extends 'text-embedding' ? string : Input

const modalities: Readonly<Record<Task, OperatorModality>> = {
  'text-embedding': 'text',
  'image-embedding': 'image',
  'text-image-embedding': 'text-image',
}

/**
 * Opens a model for a task, by default the one that works offline.
 *
 * @example
 * ```ts
 * const embed = await pipeline('image-embedding')
 * const vector = await embed('towhee.jpg')
 * const [a, b] = await embed(['towhee.jpg', 'junco.jpg'])
 *
 * const both = await pipeline('text-image-embedding')   // or { model: 'hf:openai/clip-vit-base-patch32' }
 * const words = await both.text('a red bird')
 * const photos = await both.image(['towhee.jpg', 'junco.jpg'])
 * const mixed = await both([{ text: 'a red bird' }, { image: 'towhee.jpg' }])
 * ```
 *
 * @remarks
 * What gives the same vectors and runs in the same way is opened once in a process, whoever asks and in whatever words.
 *
 * @throws PipiloError `OPTION_INVALID` for an unknown task or a model of another modality; what `embedder` throws
 */
export function pipeline(
  task: 'text-image-embedding',
  options?: PipelineOptions & {
    readonly pool?: Exclude<EmbedderOptions['pool'], 'none' | undefined>
  },
): Promise<TextImagePipeline>
export function pipeline<T extends SingleTask>(
  task: T,
  options: PipelineOptions & { readonly pool: 'none' },
): Promise<Pipeline<TaskInput<T>, Matrix>>
export function pipeline<T extends SingleTask>(
  task: T,
  options?: PipelineOptions,
): Promise<Pipeline<TaskInput<T>>>
export async function pipeline(task: Task, given: PipelineOptions = {}): Promise<unknown> {
  const modality = checkTask(task)
  checkOptions<PipelineOptions>('pipeline', given, { ...embedderOptionTypes, model: is.any })
  const { model, ...options } = given
  const { embedder, release } = await share(model ?? defaultModel(modality), options)
  try {
    checkModality(embedder, modality)
  } catch (error) {
    await release()
    throw error
  }
  const taking =
    (asInput: (input: unknown) => AnyInput) =>
    async (input: unknown, runOptions?: EmbedOptions): Promise<unknown> => {
      const inputs = (Array.isArray(input) ? input : [input]).map(asInput)
      const { vectors } = await embedder.embed(inputs, runOptions)
      return Array.isArray(input) ? vectors : vectors[0]!
    }
  const common = { embedder, dispose: release, [Symbol.asyncDispose]: release }
  const run = taking((input) => input as AnyInput)
  if (modality !== 'text-image') return Object.assign(run, common)
  const images = taking((image) => ({ image: image as Input }))
  return Object.assign(run, common, {
    text: taking((text) => ({ text: text as string })),
    image: async (input: unknown, runOptions?: EmbedOptions) => {
      refusePrompt(runOptions?.prompt, 'image() embeds pictures')
      return images(input, runOptions)
    },
  })
}

function checkTask(task: unknown): OperatorModality {
  checkOption('task', task, is.text)
  return modalityOf(String(task))
}

function modalityOf(task: string): OperatorModality {
  if (Object.hasOwn(modalities, task)) return modalities[task as Task]
  const tasks = Object.keys(modalities)
  const near = closest(task, tasks)
  throw new PipiloError('OPTION_INVALID', `There is no task '${task}'.`, {
    input: task,
    hint: near.length ? `Closest: ${near.join(', ')}.` : `There are ${tasks.join(', ')}.`,
  })
}
