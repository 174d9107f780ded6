import type { Embedder, EmbedderOptions, EmbedOptions, Input } from '../embed/index.ts'
import type { InputModality } from '../models/index.ts'
import { closest, type Matrix, PipiloError } from '../tensor/index.ts'
import { checkModality, defaultModels } from './builtIn.ts'
import { share } from './shared.ts'

/** What {@link pipeline} can be made for. */
export type Task = 'text-embedding' | 'image-embedding'

export interface PipelineOptions extends EmbedderOptions {
  /** A card's name, or where the model comes from. Default: the default model of the task. */
  readonly model?: string
}

/** A model as a function: one input for one vector, an array for an array. */
export interface Pipeline<In extends Input = Input, V extends Float32Array | Matrix = Float32Array> {
  (input: In, options?: EmbedOptions): Promise<V>
  /** With `onError: 'skip'` the vector of a bad input is all NaN. */
  (inputs: readonly In[], options?: EmbedOptions): Promise<V[]>
  readonly embedder: Embedder<V>
  /** Frees the model, unless another pipeline uses it. */
  dispose(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

type TaskInput<T extends Task> = T extends 'text-embedding' ? string : Input

const modalities: Readonly<Record<Task, InputModality>> = {
  'text-embedding': 'text',
  'image-embedding': 'image',
}

/**
 * Opens a model for a task, by default the one that works offline.
 *
 * ```ts
 * const embed = await pipeline('image-embedding')
 * const vector = await embed('towhee.jpg')
 * const [a, b] = await embed(['towhee.jpg', 'junco.jpg'])
 * ```
 *
 * The same model and options are opened once in a process, whoever asks.
 *
 * @throws PipiloError `OPTION_INVALID` for an unknown task, or a model of another modality; what `embedder` throws
 */
export function pipeline<T extends Task>(
  task: T,
  options: PipelineOptions & { readonly pool: 'none' },
): Promise<Pipeline<TaskInput<T>, Matrix>>
export function pipeline<T extends Task>(task: T, options?: PipelineOptions): Promise<Pipeline<TaskInput<T>>>
export async function pipeline(
  task: Task,
  { model, ...options }: PipelineOptions = {},
): Promise<Pipeline<Input, Float32Array | Matrix>> {
  const modality = checkTask(task)
  const { embedder, release } = await share(model ?? defaultModels[modality], options)
  try {
    checkModality(embedder, modality)
  } catch (error) {
    await release()
    throw error
  }
  async function run(input: Input | readonly Input[], runOptions?: EmbedOptions) {
    if (Array.isArray(input)) return (await embedder.embed(input, runOptions)).vectors
    return (await embedder.embed([input as Input], runOptions)).vectors[0]!
  }
  return Object.assign(run, {
    embedder,
    dispose: release,
    [Symbol.asyncDispose]: release,
  }) as unknown as Pipeline<Input, Float32Array | Matrix>
}

function checkTask(task: string): InputModality {
  if (Object.hasOwn(modalities, task)) return modalities[task as Task]
  const tasks = Object.keys(modalities)
  if (task === 'text-image-embedding')
    throw new PipiloError('OPTION_INVALID', "The task 'text-image-embedding' comes with a later version.", {
      input: task,
      hint: `There are ${tasks.join(' and ')}.`,
    })
  const near = closest(task, tasks)
  throw new PipiloError('OPTION_INVALID', `There is no task '${task}'.`, {
    input: task,
    hint: near.length ? `Closest: ${near.join(', ')}.` : `There are ${tasks.join(' and ')}.`,
  })
}
