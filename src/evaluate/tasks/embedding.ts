// Embeds the inputs of a task, without those that cannot be read, and takes the time.
import { PipiloError, throwIfAborted } from '../../base/index.ts'
import type { AnyInput, DatasetRow, Embedder, Prompt } from '../../embed/index.ts'
import { inputFor } from '../../embed/index.ts'

/** Vectors of a task's inputs; `undefined` for one that could not be read. */
export interface Embedded {
  readonly vectors: readonly (Float32Array | undefined)[]
  readonly skipped: number
  readonly errors: readonly { readonly index: number; readonly error: PipiloError }[]
}

/** A vector, and the name of the input that it is of: its row of the data. */
export interface EmbeddedVector {
  readonly vector: Float32Array
  readonly index: number
  readonly nameOf: (index: number) => string
}

/** Adds up inputs and seconds over the calls of one evaluation. */
export class Meter {
  inputs = 0
  seconds = 0
  memory = 0
  /** All that was embedded so far. */
  readonly vectors: EmbeddedVector[] = []
  readonly #total: number
  readonly #onProgress: ((event: { done: number; total: number }) => void) | undefined

  constructor(total: number, onProgress: ((event: { done: number; total: number }) => void) | undefined) {
    this.#total = total
    this.#onProgress = onProgress
  }

  async embed(
    embedder: Pick<Embedder<Float32Array, AnyInput>, 'embed'>,
    inputs: readonly AnyInput[],
    {
      prompt,
      signal,
      nameOf = (index) => `input ${index}`,
    }: {
      readonly prompt?: Prompt | undefined
      readonly signal?: AbortSignal | undefined
      /** Name of an input in errors. */
      readonly nameOf?: (index: number) => string
    },
  ): Promise<Embedded> {
    throwIfAborted(signal)
    const start = performance.now()
    const before = this.inputs
    const { vectors, errors } = await embedder.embed(inputs, {
      onError: 'skip',
      ...(prompt !== undefined && { prompt }),
      ...(signal && { signal }),
      onProgress: ({ done }) => {
        this.memory = Math.max(this.memory, process.memoryUsage.rss())
        this.#onProgress?.({ done: before + done, total: this.#total })
      },
    })
    this.seconds += (performance.now() - start) / 1000
    this.inputs += inputs.length
    this.memory = Math.max(this.memory, process.memoryUsage.rss())
    if (errors.length === inputs.length && errors[0]) throw errors[0].error
    const failed = new Set(errors.map(({ index }) => index))
    const kept = vectors.map((vector, i) => (failed.has(i) ? undefined : vector))
    for (const [index, vector] of kept.entries()) if (vector) this.vectors.push({ vector, index, nameOf })
    return { vectors: kept, skipped: failed.size, errors }
  }
}

/** The input of a row for a model: its picture or its text. @throws `INPUT_INVALID` where the row has neither, or not what the model takes */
export function inputOf(
  embedder: Pick<Embedder, 'modality' | 'name'>,
  row: DatasetRow,
  name: string,
): AnyInput {
  const { modality } = embedder
  if (row.image !== undefined && (modality === 'image' || modality === 'text-image')) {
    return modality === 'text-image' ? { image: row.image } : row.image
  }
  if (row.text !== undefined && (modality === 'text' || modality === 'text-image'))
    return inputFor(embedder, { input: row.text, modality: 'text' })
  const has =
    row.image !== undefined ? 'pictures' : row.text !== undefined ? 'texts' : 'neither texts nor pictures'
  throw new PipiloError(
    'INPUT_INVALID',
    `${name} has ${has}; ${embedder.name} takes ${{ text: 'texts', image: 'pictures', tensor: 'tensors', 'text-image': 'either' }[modality]}.`,
    {
      input: name,
      hint: 'Name another model.',
    },
  )
}
