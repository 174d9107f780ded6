/** Running an augmentation on worker threads, in parts that stay in the processor's caches. */
import { PipiloError } from '../../base/index.ts'
import { type CompileOptions, compile, type Session } from '../../runtime/index.ts'
import { elementCount, type Tensor } from '../../tensor/index.ts'
import type { Augmentation } from './augmentation.ts'
import { integer } from './checks.ts'

/** Options of {@link augmenter}. */
export interface AugmenterOptions extends Pick<CompileOptions, 'workers' | 'cacheDir'> {
  /** Pictures that are augmented at a time by one thread. Default 32. */
  readonly part?: number
}

/** An augmentation that runs. */
export interface Augmenter {
  /**
   * Augments a batch: `pixels` as the augmentation takes them. Different steps of a seed give different pictures, the same step
   * the same ones bit for bit, whatever the parts and threads.
   *
   * @returns each of the augmentation's outputs, float32 [batch, channels, height, width]
   */
  augment(
    pixels: Tensor,
    counters: { readonly seed: number; readonly step: number },
  ): Promise<Record<string, Tensor>>
  /** Frees the threads. */
  dispose(): Promise<void>
}

/**
 * Runs an augmentation beside the training step, on threads of its own.
 *
 * @example
 * ```ts
 * const views = await augmenter(augmentation(simClrAugmentation(64), { size: 96, channels: 3, views: 2 }), { workers: 1 })
 * const { pixel_values_1, pixel_values_2 } = await views.augment(pixels, { seed: 42, step })
 * await views.dispose()
 * ```
 *
 * @remarks
 * A batch is cut into parts of 32 pictures: threads share it, only few pictures are copies at a time, and what an operator writes mostly
 * is still in the processor's caches when the next one reads it. Each worker has one thread.
 *
 * @param options.workers threads. Default: as many as the machine has processors; 0 runs in place
 */
export async function augmenter(
  augmentation: Augmentation,
  options: AugmenterOptions = {},
): Promise<Augmenter> {
  const { part = 32, ...rest } = options
  integer('part', part, 1)
  const session = await compile(augmentation.graph, { ...rest, threads: 1 })
  return {
    augment: (pixels, counters) => inParts(augmentation, session, part, pixels, counters),
    dispose: () => session.dispose(),
  }
}

async function inParts(
  { draw, outputs, sizes }: Augmentation,
  session: Session,
  part: number,
  pixels: Tensor,
  { seed, step }: { readonly seed: number; readonly step: number },
): Promise<Record<string, Tensor>> {
  const count = pixels.shape[0] ?? 0
  if (pixels.shape.length !== 4 || count === 0) {
    throw new PipiloError(
      'SHAPE_MISMATCH',
      `A batch of pixels has four axes and at least one picture, not [${pixels.shape.join(', ')}].`,
      { input: 'pixels' },
    )
  }
  const channels = channelsOf(session, pixels)
  const results = sizes.map((size): Tensor & { data: Float32Array } => {
    const shape = [count, channels, ...size]
    return { dtype: 'float32', shape, data: new Float32Array(elementCount(shape)) }
  })
  const one = async (first: number) => {
    const rows = Math.min(part, count - first)
    const feeds = { ...draw(seed, step, rows, { first }), pixels: rowsOf(pixels, first, rows) }
    const augmented = await session.run(feeds)
    for (const [i, output] of outputs.entries()) {
      const { data } = augmented[output]!
      results[i]!.data.set(data as Float32Array, (first * results[i]!.data.length) / count)
    }
  }
  let next = 0
  // A part waits at each thread while one runs there, so that only a few are copies at a time.
  const lane = async () => {
    while (next < count) {
      const first = next
      next += part
      await one(first)
    }
  }
  await Promise.all(Array.from({ length: 2 * session.concurrency }, lane))
  return Object.fromEntries(outputs.map((output, i) => [output, results[i]!]))
}

function channelsOf(session: Session, pixels: Tensor): number {
  const type = session.inputs.find(({ name }) => name === 'pixels')?.type
  return pixels.shape[type?.kind === 'tensor' && type.dtype === 'uint8' ? 3 : 1]!
}

/** A copy of some rows, which the session may move to its thread. */
function rowsOf({ dtype, shape, data }: Tensor, first: number, rows: number): Tensor {
  const size = elementCount(shape.slice(1))
  return {
    dtype,
    shape: [rows, ...shape.slice(1)],
    data: data.slice(first * size, (first + rows) * size),
  } as Tensor
}
