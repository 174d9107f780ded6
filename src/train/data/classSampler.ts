// The sampler of P classes with K samples each, for triplet and supervised contrastive losses.

import { checkCount, checkOptions, is, type OptionTable, PipiloError } from '../../base/index.ts'
import { permutation } from './permutation.ts'
import { checkSeed, type Sampler } from './sampler.ts'

const classSamplerTypes: OptionTable<ClassOptions> = {
  classes: is.count(1),
  samples: is.count(1),
  seed: is.integer,
  few: is.oneOf(['throw', 'drop', 'repeat']),
}

/** Options of the sampler by class. */
export interface ClassOptions {
  /** Classes in a batch. */
  readonly classes: number
  /** Samples of each. */
  readonly samples: number
  /** Default 0. */
  readonly seed?: number
  /** Classes with fewer samples than that: refused, left out, or their samples taken several times. Default `throw`. */
  readonly few?: 'throw' | 'drop' | 'repeat'
}

/** Samples of one class. */
interface ClassSamples {
  readonly label: number
  readonly indices: readonly number[]
}

/**
 * Batches of `classes` × `samples`, a class after the other: as in "In Defense of the Triplet Loss".
 *
 * @example
 * ```ts
 * const sampler = classSampler(dataset.labels!, { classes: 8, samples: 4 })     // batches of 32
 * ```
 *
 * @remarks
 * All classes come equally often, in random order, each with the next of its own samples in random order: no sample of a class comes again
 * before the others of its class have. An epoch has as many batches as the samples fill; with classes of one size, which `samples` divides and
 * whose number `classes` divides, it has every sample once. Otherwise samples of small classes come more often than those of large ones.
 * Starting in the middle of an epoch takes no longer than at its start.
 *
 * @throws PipiloError `INPUT_INVALID` for fewer classes than a batch has, or a class with too few samples; `OPTION_INVALID`
 * @see https://arxiv.org/abs/1703.07737
 */
export function classSampler(labels: ArrayLike<number>, options: ClassOptions): Sampler {
  checkOptions('classSampler', options, classSamplerTypes)
  const { classes, samples, seed = 0 } = options
  checkCount('classes', classes, 2)
  checkCount('samples', samples, 1)
  checkSeed(seed)
  const all = usable(byClass(labels), options)
  // Classes that do not fill a batch wait for the next round, whose order is another.
  const perRound = Math.floor(all.length / classes)
  const total = all.reduce((sum, { indices }) => sum + indices.length, 0)
  const count = Math.max(1, Math.ceil(total / (classes * samples)))
  return {
    length: count,
    batches: function* (epoch, startAt = 0) {
      checkCount('epoch', epoch, 0)
      checkCount('startAt', startAt, 0)
      for (let number = startAt; number < count; number++) {
        // Counted over all epochs: a large class goes on with the samples that it has not shown.
        const step = epoch * count + number
        const round = Math.floor(step / perRound)
        const order = permutation(all.length, seed, `classes ${round}`)
        const first = (step % perRound) * classes
        yield Array.from({ length: classes }, (_, i) => all[order(first + i)]!).flatMap((each) =>
          samplesOf(each, samples, round, seed),
        )
      }
    },
  }
}

/** The samples of a class in a round: the next `count` of its own order, which is another each time that it is through. */
function samplesOf({ label, indices }: ClassSamples, count: number, round: number, seed: number): number[] {
  const perCycle = Math.max(1, Math.floor(indices.length / count))
  const order = permutation(indices.length, seed, `class ${label}, ${Math.floor(round / perCycle)}`)
  const first = (round % perCycle) * count
  return Array.from({ length: count }, (_, i) => indices[order((first + i) % indices.length)]!)
}

/** Samples by class, in the order of the labels. */
function byClass(labels: ArrayLike<number>): ClassSamples[] {
  const found = new Map<number, number[]>()
  for (const [i, label] of Array.from(labels).entries()) {
    const indices = found.get(label)
    if (indices) indices.push(i)
    else found.set(label, [i])
  }
  return [...found].sort(([a], [b]) => a - b).map(([label, indices]) => ({ label, indices }))
}

function usable(
  all: readonly ClassSamples[],
  { classes, samples, few = 'throw' }: ClassOptions,
): ClassSamples[] {
  if (!['throw', 'drop', 'repeat'].includes(few)) {
    throw new PipiloError('OPTION_INVALID', `few is '${few}'; it has to be throw, drop or repeat.`, {
      input: 'few',
    })
  }
  const small = all.filter(({ indices }) => indices.length < samples)
  if (small.length > 0 && few === 'throw') {
    const [{ label, indices }] = small as [ClassSamples]
    throw new PipiloError(
      'INPUT_INVALID',
      `${small.length} of ${all.length} classes have fewer than ${samples} samples; class ${label} has ${indices.length}.`,
      { input: label, hint: "Take fewer samples of each, or say few: 'drop' or 'repeat'." },
    )
  }
  const kept = few === 'drop' ? all.filter(({ indices }) => indices.length >= samples) : [...all]
  if (kept.length < classes) {
    const has = kept.length === 1 ? 'is 1 class' : `are ${kept.length} classes`
    throw new PipiloError(
      'INPUT_INVALID',
      `A batch has ${classes} classes, and there ${has} with enough samples.`,
      {
        input: 'classes',
        hint:
          kept.length < 2
            ? 'Losses that tell classes apart need two at least.'
            : 'Take fewer classes a batch.',
      },
    )
  }
  return kept
}
