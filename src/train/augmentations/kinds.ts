/** Kinds of steps: how each checks its options, draws the numbers of a picture, and adds its nodes. */
import type { Value } from '../../graph/index.ts'
import type { Random } from '../../nn/index.ts'
import type { DType } from '../../tensor/index.ts'
import { gaussianBlur } from './blur.ts'
import {
  around,
  boolean,
  checkedSides,
  expectName,
  integer,
  number,
  perChannel,
  positiveRange,
  probability,
  range,
  refuse,
} from './checks.ts'
import { colorJitter, grayscale, normalize, solarize } from './color.ts'
import { erasing } from './erasing.ts'
import { affine, affineMatrix, horizontalFlip, paddedCrop, resizedCrop } from './geometry.ts'
import type { AugmentationStep, AugmentationStepOptions, Range, StepKind } from './steps.ts'

/** The pictures that a step is given. */
export interface Picture {
  readonly channels: 1 | 3
  readonly height: number
  readonly width: number
}

/** A parameter of a step: the numbers of one picture in a feed. */
export interface Parameter {
  readonly dtype: DType
  /** Of one picture. */
  readonly shape: readonly number[]
}

/** A checked step for pictures of one size. */
export interface PreparedStep {
  /** Of the pictures afterwards, where it changes. */
  readonly size?: readonly [height: number, width: number]
  readonly parameters: Readonly<Record<string, Parameter>>
  /** Draws the numbers of one picture, in the order of the parameters. */
  draw(random: Random): readonly (readonly number[])[]
  /** Adds its nodes. `flips` is a flip that follows, given only to steps that {@link takesFlips}. */
  apply(x: Value, parameters: Readonly<Record<string, Value>>, flips?: Value): Value
  /** A flip that follows costs nothing within this step. */
  readonly takesFlips?: boolean
}

type Kinds = {
  readonly [K in StepKind]: {
    /** Names of its options. */
    readonly options: readonly (keyof AugmentationStepOptions[K])[]
    prepare(step: AugmentationStepOptions[K], picture: Picture): PreparedStep
  }
}

const FLAG: Parameter = { dtype: 'bool', shape: [] }
const BOX: Parameter = { dtype: 'float32', shape: [4] }

const happens = (random: Random, p: number): boolean => random.uniform() < p
const between = (random: Random, [from, to]: Range): number => from + (to - from) * random.uniform()
/** An integer from 0 to `most`. */
const upToIncluding = (random: Random, most: number): number => Math.floor(random.uniform() * (most + 1))

/** Height and width of a random area and ratio (of the first to the second), rounded. */
function sidesOf(random: Random, area: number, scale: Range, ratio: Range): [number, number] {
  const wanted = area * between(random, scale)
  const aspect = Math.exp(between(random, [Math.log(ratio[0]), Math.log(ratio[1])]))
  return [Math.round(Math.sqrt(wanted * aspect)), Math.round(Math.sqrt(wanted / aspect))]
}

/** As torchvision: ten tries at a box that fits, then the largest in the middle whose ratio is allowed. */
function cropBox(random: Random, { height, width }: Picture, scale: Range, ratio: Range): number[] {
  for (let i = 0; i < 10; i++) {
    const [w, h] = sidesOf(random, height * width, scale, ratio)
    if (w > 0 && w <= width && h > 0 && h <= height) {
      return [upToIncluding(random, height - h), upToIncluding(random, width - w), h, w]
    }
  }
  const own = width / height
  const h = own < ratio[0] ? Math.max(1, Math.round(width / ratio[0])) : height
  const w = own > ratio[1] ? Math.max(1, Math.round(height * ratio[1])) : width
  return [Math.floor((height - h) / 2), Math.floor((width - w) / 2), h, w]
}

/** As torchvision: ten tries at a box smaller than the picture, then none. */
function erasedBox(random: Random, { height, width }: Picture, scale: Range, ratio: Range): number[] {
  for (let i = 0; i < 10; i++) {
    const [h, w] = sidesOf(random, height * width, scale, ratio)
    if (h < height && w < width)
      return [upToIncluding(random, height - h), upToIncluding(random, width - w), h, w]
  }
  return [0, 0, 0, 0]
}

/** All orders of 0, 1, 2, 3 with equal chances. */
function shuffled(random: Random): number[] {
  const order = [0, 1, 2, 3]
  for (let i = 3; i > 0; i--) {
    const j = upToIncluding(random, i)
    ;[order[i], order[j]] = [order[j]!, order[i]!]
  }
  return order
}

/** Factors of brightness, contrast or saturation. */
function factors(name: string, value: number | Range): Range {
  const most = Number.POSITIVE_INFINITY
  if (typeof value !== 'number') return range(name, value, 0, most)
  number(name, value, 0, most)
  return [Math.max(0, 1 - value), 1 + value]
}

/** The kinds of steps by name. */
export const kinds: Kinds = {
  randomResizedCrop: {
    options: ['size', 'scale', 'ratio', 'antialias'],
    prepare(step, picture) {
      const size = checkedSides('size', step.size)
      const scale = positiveRange('scale', step.scale ?? [0.08, 1], 1)
      const ratio = positiveRange('ratio', step.ratio ?? [3 / 4, 4 / 3])
      const antialias = boolean('antialias', step.antialias ?? true)
      return {
        size,
        parameters: { boxes: BOX },
        draw: (random) => [cropBox(random, picture, scale, ratio)],
        apply: (x, { boxes }, flips) => resizedCrop(x, boxes!, size, { antialias, ...(flips && { flips }) }),
        takesFlips: true,
      }
    },
  },

  randomCrop: {
    options: ['size', 'padding', 'mode'],
    prepare(step, { height, width }) {
      const size = checkedSides('size', step.size)
      const padding = integer('padding', step.padding ?? 0, 0)
      const mode = step.mode ?? 'constant'
      expectName('mode of padding', mode, ['constant', 'reflect', 'edge'])
      const room = [height, width].map((side, axis) => side + 2 * padding - size[axis]!) as [number, number]
      if (room.some((pixels) => pixels < 0)) {
        refuse(
          'size',
          step.size,
          `at most ${height + 2 * padding} by ${width + 2 * padding}, the padded picture`,
        )
      }
      if (mode === 'reflect' && padding >= Math.min(height, width)) {
        refuse('padding', padding, `less than ${Math.min(height, width)}, the picture's side, to reflect it`)
      }
      return {
        size,
        parameters: { offsets: { dtype: 'float32', shape: [2] } },
        draw: (random) => [room.map((pixels) => upToIncluding(random, pixels))],
        apply: (x, { offsets }, flips) =>
          paddedCrop(x, offsets!, size, { padding, mode, ...(flips && { flips }) }),
        takesFlips: true,
      }
    },
  },

  horizontalFlip: {
    options: ['p'],
    prepare(step) {
      const p = probability('p', step.p ?? 0.5)
      return {
        parameters: { flags: FLAG },
        draw: (random) => [[Number(happens(random, p))]],
        apply: (x, { flags }) => horizontalFlip(x, flags!),
      }
    },
  },

  colorJitter: {
    options: ['brightness', 'contrast', 'saturation', 'hue', 'p'],
    prepare(step) {
      const p = probability('p', step.p ?? 1)
      const ranges = [
        factors('brightness', step.brightness ?? 0),
        factors('contrast', step.contrast ?? 0),
        factors('saturation', step.saturation ?? 0),
        around('hue', step.hue ?? 0, 0.5),
      ]
      return {
        parameters: {
          factors: { dtype: 'float32', shape: [4] },
          orders: { dtype: 'int64', shape: [4] },
        },
        draw: (random) => {
          const drawn = ranges.map((each) => between(random, each))
          const order = shuffled(random)
          return [happens(random, p) ? drawn : [1, 1, 1, 0], order]
        },
        apply: (x, { factors, orders }) => colorJitter(x, factors!, orders!),
      }
    },
  },

  grayscale: {
    options: ['p'],
    prepare(step) {
      const p = probability('p', step.p ?? 0.1)
      return {
        parameters: { flags: FLAG },
        draw: (random) => [[Number(happens(random, p))]],
        apply: (x, { flags }) => grayscale(x, flags!),
      }
    },
  },

  gaussianBlur: {
    options: ['kernelSize', 'sigma', 'p'],
    prepare(step, { height, width }) {
      const p = probability('p', step.p ?? 1)
      const { kernelSize, sigma = [0.1, 2] } = step
      const sigmas = positiveRange('sigma', typeof sigma === 'number' ? [sigma, sigma] : sigma)
      const most = 2 * Math.min(height, width) - 1
      if (
        !(Number.isSafeInteger(kernelSize) && kernelSize > 0 && kernelSize % 2 === 1 && kernelSize <= most)
      ) {
        refuse('kernelSize', kernelSize, `an odd integer from 1 to ${most}`)
      }
      return {
        parameters: { sigmas: { dtype: 'float32', shape: [] } },
        draw: (random) => {
          const drawn = between(random, sigmas)
          return [[happens(random, p) ? drawn : 0]]
        },
        apply: (x, { sigmas }) => gaussianBlur(x, sigmas!, kernelSize),
      }
    },
  },

  solarize: {
    options: ['threshold', 'p'],
    prepare(step) {
      const p = probability('p', step.p ?? 0.5)
      const threshold = number('threshold', step.threshold ?? 0.5, 0, 1)
      return {
        parameters: { flags: FLAG },
        draw: (random) => [[Number(happens(random, p))]],
        apply: (x, { flags }) => solarize(x, flags!, threshold),
      }
    },
  },

  erasing: {
    options: ['scale', 'ratio', 'value', 'p'],
    prepare(step, picture) {
      const p = probability('p', step.p ?? 0.5)
      const scale = positiveRange('scale', step.scale ?? [0.02, 0.33], 1)
      const ratio = positiveRange('ratio', step.ratio ?? [0.3, 3.3])
      const { value = 0 } = step
      const values = typeof value === 'number' ? [number('value', value, -LARGE, LARGE)] : value
      if (typeof value !== 'number') perChannel('value', value, picture.channels)
      return {
        parameters: { boxes: BOX },
        draw: (random) => {
          const box = erasedBox(random, picture, scale, ratio)
          return [happens(random, p) ? box : [0, 0, 0, 0]]
        },
        apply: (x, { boxes }) => erasing(x, boxes!, values),
      }
    },
  },

  affine: {
    options: ['degrees', 'translate', 'scale', 'shear', 'interpolation', 'p'],
    prepare(step, { height, width }) {
      const p = probability('p', step.p ?? 1)
      const degrees = around('degrees', step.degrees ?? 0, 360)
      const shear = around('shear', step.shear ?? 0, 89)
      const scale = positiveRange('scale', step.scale ?? [1, 1])
      const [x, y] = step.translate ?? [0, 0]
      for (const part of [x, y]) probability('translate', part)
      const { interpolation = 'bilinear' } = step
      expectName('interpolation', interpolation, ['bilinear', 'nearest'])
      return {
        parameters: { matrices: { dtype: 'float32', shape: [2, 3] } },
        draw: (random) => {
          const matrix = affineMatrix({
            angle: between(random, degrees),
            translate: [
              Math.round(between(random, [-x * width, x * width])),
              Math.round(between(random, [-y * height, y * height])),
            ],
            scale: between(random, scale),
            shear: [between(random, shear), 0],
          })
          return [happens(random, p) ? matrix : [1, 0, 0, 0, 1, 0]]
        },
        apply: (pixels, { matrices }) => affine(pixels, matrices!, interpolation),
      }
    },
  },

  normalize: {
    options: ['mean', 'std'],
    prepare({ mean, std }, { channels }) {
      perChannel('mean', mean, channels)
      if (perChannel('std', std, channels).some((deviation) => deviation <= 0)) {
        refuse('std', std, 'numbers above 0')
      }
      return { parameters: {}, draw: () => [], apply: (x) => normalize(x, mean, std) }
    },
  },
}

/** Bound of values that are no measure of anything. */
const LARGE = 1e6

/**
 * Checks a step for pictures of one size.
 *
 * @throws PipiloError `OPTION_INVALID` with the closest names, or what an option has to be
 */
export function prepareStep(step: AugmentationStep, picture: Picture): PreparedStep {
  expectName('augmentation', step.kind, Object.keys(kinds))
  const { kind, ...options } = step
  const known: readonly string[] = kinds[kind].options
  for (const name of Object.keys(options)) expectName(`option of ${kind}`, name, known)
  return prepareOf(kind, step, picture)
}

function prepareOf<K extends StepKind>(
  kind: K,
  step: AugmentationStepOptions[StepKind],
  picture: Picture,
): PreparedStep {
  return kinds[kind].prepare(step as AugmentationStepOptions[K], picture)
}
