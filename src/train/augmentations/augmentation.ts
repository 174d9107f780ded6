/** Augmentations as one graph for a whole batch, with the random numbers that it is fed. */
import { Builder, type Graph, op, type Value } from '../../graph/index.ts'
import { elementCount, type Tensor, typedArray } from '../../tensor/index.ts'
import { checkedSides, expectName, integer, refuse } from './checks.ts'
import { type Parameter, type Picture, type PreparedStep, prepareStep } from './kinds.ts'
import { checkedCounters, type MaskCounters, randoms } from './masks.ts'
import type { Size } from './pixels.ts'
import type { AugmentationSpec, AugmentationStep } from './steps.ts'

/** Options of {@link augmentation}. */
export interface AugmentationOptions {
  /** Of the pictures that go in. */
  readonly size: Size
  /** 1 or 3. */
  readonly channels: number
  /** Views of each picture. Default 1, or as many as the spec lists. */
  readonly views?: number
  /**
   * Pixels that go in: `float32`, [batch, channels, height, width] in 0…1 (the default), or `uint8`, [batch, height, width,
   * channels] as decoders give them, a quarter of the bytes to move.
   */
  readonly pixels?: 'float32' | 'uint8'
}

/** Options of {@link Augmentation.draw}. */
export interface DrawOptions {
  /** Index of the first picture in its batch, for a batch that is run in parts. Default 0. */
  readonly first?: number
}

/** An augmentation for pictures of one size. */
export interface Augmentation {
  /** Inputs: `pixels` and the numbers that {@link draw} gives; outputs: {@link outputs}. */
  readonly graph: Graph
  /** `['pixel_values']`, or of several views `pixel_values_1`, `pixel_values_2`, …; float32 [batch, channels, height, width]. */
  readonly outputs: readonly string[]
  /** Height and width of each view. */
  readonly sizes: readonly (readonly [height: number, width: number])[]
  /**
   * Random numbers of one batch, to feed beside its `pixels`. A picture's numbers come of the seed, the step, its index in the batch
   * and the view, and of nothing else: a run that is resumed at a step, or a batch in parts, draws the same.
   */
  draw(seed: number, step: number, count: number, options?: DrawOptions): Record<string, Tensor>
}

/**
 * A graph that augments a batch of pictures, and the drawing of its random numbers.
 *
 * @example
 * ```ts
 * const two = augmentation(simClrAugmentation(64), { size: 96, channels: 3, views: 2 })
 * const session = await compile(two.graph)
 * const { pixel_values_1, pixel_values_2 } = await session.run({ pixels, ...two.draw(seed, step, 256) })
 * ```
 *
 * @remarks
 * The graph itself holds no chance: equal feeds give equal pictures, bit for bit. Each step is torchvision's of that name within
 * 1e-5, applied to one picture at a time, as in a data loader. A flip right behind a crop costs nothing.
 *
 * {@link augmenter} runs a batch in parts on threads of its own, beside the training step.
 *
 * @param spec steps in their order, or `{ views }` with those of each view
 * @throws PipiloError `OPTION_INVALID` for unknown kinds and options, with the closest names, and for values out of bounds
 */
export function augmentation(spec: AugmentationSpec, options: AugmentationOptions): Augmentation {
  const picture = checkedPicture(options)
  const views = viewsOf(spec, options.views)
  const b = new Builder({ name: 'augmentation' })
  const pixels = inputPixels(b, picture, options.pixels ?? 'float32')
  const several = views.length > 1
  const built = views.map((steps, i) => {
    const name = several ? `view_${i + 1}` : ''
    const view = prepareView(steps, picture, name)
    const y = name ? b.scope(name, () => addView(pixels, view)) : addView(pixels, view)
    const output = several ? `pixel_values_${i + 1}` : 'pixel_values'
    b.output(output, y)
    return { ...view, output }
  })
  return {
    graph: b.build(),
    outputs: built.map(({ output }) => output),
    sizes: built.map(({ size }) => size),
    draw: (seed, step, count, { first = 0 } = {}) => {
      const counters = checkedCounters({ seed, step, count, first })
      return Object.assign({}, ...built.map((view) => drawView(view, counters)))
    },
  }
}

function checkedPicture({ size, channels }: AugmentationOptions): Picture {
  const [height, width] = checkedSides('size', size)
  if (channels !== 1 && channels !== 3) refuse('channels', channels, '1 or 3')
  return { channels: channels as 1 | 3, height, width }
}

function viewsOf(spec: AugmentationSpec, wanted?: number): readonly (readonly AugmentationStep[])[] {
  if ('views' in spec) {
    const { length } = spec.views
    if (length === 0 || (wanted !== undefined && wanted !== length)) {
      refuse('views', wanted ?? length, `${length || 'at least one'}, as many as the spec lists`)
    }
    return spec.views
  }
  const count = integer('views', wanted ?? 1, 1)
  return Array.from({ length: count }, () => spec)
}

function inputPixels(b: Builder, { channels, height, width }: Picture, dtype: string): Value {
  expectName('dtype of pixels', dtype, ['float32', 'uint8'])
  if (dtype === 'float32') return b.input('pixels', 'float32', ['batch', channels, height, width])
  // Bytes are a quarter of the floats: move them before they are cast.
  const bytes = b.input('pixels', 'uint8', ['batch', height, width, channels])
  return op.mul(op.cast(op.transpose(bytes, [0, 3, 1, 2]), 'float32'), 1 / 255)
}

/** A step with its name in the graph. */
interface NamedStep {
  readonly name: string
  readonly prepared: PreparedStep
  readonly kind: AugmentationStep['kind']
}

interface View {
  readonly name: string
  readonly steps: readonly NamedStep[]
  readonly size: readonly [height: number, width: number]
}

function prepareView(steps: readonly AugmentationStep[], given: Picture, name: string): View {
  const counts = new Map<string, number>()
  if (steps.length === 0) refuse('spec', steps, 'a list of at least one step')
  let picture = given
  const named = steps.map((step): NamedStep => {
    const prepared = prepareStep(step, picture)
    const [height, width] = prepared.size ?? [picture.height, picture.width]
    picture = { ...picture, height, width }
    const count = (counts.get(step.kind) ?? 0) + 1
    counts.set(step.kind, count)
    return { name: count === 1 ? step.kind : `${step.kind}_${count}`, prepared, kind: step.kind }
  })
  return { name, steps: named, size: [picture.height, picture.width] }
}

function addView(pixels: Value, view: View): Value {
  const b = pixels.builder
  const parametersOf = ({ name, prepared }: NamedStep) =>
    Object.fromEntries(
      Object.entries(prepared.parameters).map(([parameter, { dtype, shape }]) => {
        return [parameter, b.input(inputName(view, name, parameter), dtype, ['batch', ...shape])]
      }),
    )
  let x = pixels
  for (let i = 0; i < view.steps.length; i++) {
    const step = view.steps[i]!
    const next = view.steps[i + 1]
    const within = step.prepared.takesFlips && next?.kind === 'horizontalFlip' ? next : undefined
    const flips = within && parametersOf(within)['flags']
    x = b.scope(step.name, () => step.prepared.apply(x, parametersOf(step), flips))
    if (within) i++
  }
  return x
}

const inputName = ({ name }: View, step: string, parameter: string): string =>
  [name, step, parameter].filter(Boolean).join('.')

function drawView(view: View, counters: Required<MaskCounters>): Record<string, Tensor> {
  const columns = view.steps.map(({ name, prepared }) =>
    Object.entries(prepared.parameters).map(([parameter, type]) => ({
      name: inputName(view, name, parameter),
      ...emptyColumn(type, counters.count),
    })),
  )
  for (const [i, random] of randoms(`augmentation/${view.name}`, counters).entries()) {
    for (const [s, { prepared }] of view.steps.entries()) {
      for (const [p, numbers] of prepared.draw(random).entries()) columns[s]![p]!.write(i, numbers)
    }
  }
  return Object.fromEntries(columns.flat().map(({ name, tensor }) => [name, tensor]))
}

/** A tensor of a parameter of `count` pictures, and how one picture's numbers are written into it. */
function emptyColumn({ dtype, shape }: Parameter, count: number) {
  const size = elementCount(shape)
  const data = typedArray(dtype, count * size)
  const tensor: Tensor = { dtype, shape: [count, ...shape], data }
  const write = (picture: number, numbers: readonly number[]) => {
    for (const [i, value] of numbers.entries()) {
      if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
        data[picture * size + i] = BigInt(value)
      } else data[picture * size + i] = value
    }
  }
  return { tensor, write }
}
