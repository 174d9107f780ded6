/** Settings that recipes share. */
import { PipiloError } from '../../base/index.ts'
import type { Optimizer, Schedule, WeightGroup } from '../../grad/index.ts'
import type { AugmentationStep } from '../augmentations/index.ts'

/** Height and width of square pictures. */
export const square = (size: number): readonly [number, number] => [size, size]

/** The usual augmentation of small pictures: crops of the padded picture (an eighth on each side), and flips. */
export const cropsAndFlips = (size: number): readonly AugmentationStep[] => [
  { kind: 'randomCrop', size, padding: Math.round(size / 8) },
  { kind: 'horizontalFlip', p: 0.5 },
]

/** Stochastic gradient descent with Nesterov's momentum of 0.9. */
export const sgd = (lr: number, weightDecay = 0): Optimizer => ({
  kind: 'sgd',
  lr,
  momentum: 0.9,
  nesterov: true,
  weightDecay,
})

/** A linear warm-up over a twentieth of the run, then a cosine down to 0. */
export const warmedCosine = (steps: number): Schedule => ({
  kind: 'cosine',
  steps,
  warmup: Math.round(steps / 20),
})

/** Biases and the scales of norms are not decayed. */
export const biasesAndNorms: readonly WeightGroup[] = [
  { names: /\.bias$|(?:bn|norm|downsample\.1)\d*\.weight$/, weightDecay: 0 },
]

/**
 * Refuses a model for a recipe that builds one of its own.
 *
 * @param own its name
 * @param network the function that makes such a network
 * @throws `OPTION_INVALID`
 */
export function checkOwnModel(recipe: string, model: string | undefined, own: string, network: string): void {
  if (model === undefined || model === own) return
  throw new PipiloError('OPTION_INVALID', `${recipe} trains transformers of its own, not ${model}.`, {
    input: 'model',
    hint: `Write options of your own: network: ${network}({ … }).`,
  })
}
