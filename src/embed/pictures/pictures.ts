// Prepares pictures for a model: decodes them and batches their pixels.
import { PipiloError } from '../../base/index.ts'
import type { ValueInfo } from '../../graph/index.ts'
import { type Card, checkImagePreprocessing, type ImagePreprocessing } from '../../models/index.ts'
import type { Tensor } from '../../tensor/index.ts'
import { valueTensor } from '../../tensor/index.ts'
import type { Limits, Preparation, PrepareOptions, Unit } from '../batching/preparation.ts'
import type { Allow, Input } from '../types.ts'
import { decodeChecked } from './image.ts'

export interface PictureOptions {
  readonly image: ImagePreprocessing
  /** Inputs beside the pictures, and decimal numbers for them. */
  readonly beside: readonly (readonly [ValueInfo, string])[]
  /** Symbol of the number of pictures. */
  readonly rows: string
  readonly batchPixels: number
  readonly maxPixels: number | undefined
  readonly allow: Allow | undefined
  readonly maxWaitingPixels: number
  /** Batches that the session runs at a time. */
  readonly concurrency: number
  readonly together: Card['together']
}

/** Pictures to the pixels that the model wants, decoded on sharp's threads while the model runs those before. */
export class PicturePreparation implements Preparation {
  readonly window: Preparation['window']
  readonly ahead: number
  readonly limits: Limits
  readonly #options: PictureOptions

  constructor(options: PictureOptions) {
    checkImagePreprocessing(options.image)
    const [height, width] = options.image.size
    this.#options = options
    const count = Math.max(1, Math.floor(options.batchPixels / (height * width)))
    this.window = { count, weight: Number.POSITIVE_INFINITY }
    this.ahead = options.concurrency + 2
    const each = height * width
    const { maxWaitingPixels: waiting, together } = options
    this.limits = { unit: 'pixels', batch: count * each, least: each, smallest: each, waiting, together }
  }

  weigh(): number {
    return 1
  }

  expect(): number {
    return this.limits.least
  }

  async prepare(inputs: readonly Input[], { indexOf, signal, onError }: PrepareOptions): Promise<Unit[]> {
    const { image, maxPixels, allow } = this.#options
    const decoded = await Promise.all(
      inputs.map(async (input, owner): Promise<Uint8Array | PipiloError> => {
        try {
          const label = `input ${indexOf(owner)}`
          const options = { label, signal, ...(maxPixels && { maxPixels }), ...(allow && { allow }) }
          return (await decodeChecked(input, image, options)).data
        } catch (error) {
          if (!(error instanceof PipiloError) || signal.aborted) throw error
          return error
        }
      }),
    )
    const units: Unit[] = []
    // In order: of several bad ones it is the first that is named.
    for (const [owner, content] of decoded.entries()) {
      if (content instanceof PipiloError) onError(owner, content)
      else units.push({ owner, content, size: content.length / 3, truncated: false })
    }
    return units
  }

  pack(units: readonly Unit[]): Unit[][] {
    // A window is a batch.
    return units.length > 0 ? [[...units]] : []
  }

  feeds(batch: readonly Unit[]): Record<string, Tensor> {
    const [height, width] = this.#options.image.size
    const each = height * width * 3
    const data = new Uint8Array(batch.length * each)
    for (const [row, { content }] of batch.entries()) data.set(content, row * each)
    const { beside, rows } = this.#options
    const sizes = new Map([[rows, batch.length]])
    return {
      ...Object.fromEntries(beside.map(([info, value]) => [info.name, valueTensor(info, value, sizes)])),
      pixels: { dtype: 'uint8', shape: [batch.length, height, width, 3], data },
    }
  }

  hasRows(input: string): boolean {
    return input === 'pixels'
  }
}
