/** Recipes that learn from labels: LeNet-5, residual networks, triplets, supervised contrast. */
import { PipiloError } from '../../base/index.ts'
import type { Dataset } from '../../embed/index.ts'
import type { Optimizer } from '../../grad/index.ts'
import { CIFAR10, MNIST } from '../augmentations/index.ts'
import { classification } from '../methods/classification.ts'
import { supervisedContrast, triplets } from '../methods/labelledEmbeddings.ts'
import { freshNetwork } from '../networks.ts'
import type { RecipeParts, TrainingRecipe } from './recipe.ts'
import { biasesAndNorms, cropsAndFlips, sgd, square, warmedCosine } from './settings.ts'

function classesOf({ classes, name }: Dataset): number {
  if (classes) return classes.length
  throw new PipiloError('INPUT_INVALID', `${name} has no labels.`, { input: name })
}

export const lenet5: TrainingRecipe = {
  name: 'lenet5',
  summary: 'LeNet-5, the classifier of digits of 1998; the embedding is its penultimate layer',
  needs: 'grey pictures with labels: mnist, or a folder of images by class',
  columns: ['image', 'label'],
  defaults: { epochs: 8, batch: 128, lr: 0.05, size: 28, model: 'lenet' },
  prepare: ({ data, lr, seed, size = 28, model = 'lenet' }) => ({
    network: freshNetwork(model, {
      config: { num_classes: classesOf(data), act: 'relu', pool: 'max' },
      size: square(size),
      ...MNIST,
      seed,
    }),
    objective: classification(),
    optimizer: sgd(lr),
    schedule: warmedCosine,
  }),
}

/** A recipe for a residual network on colour pictures with labels. */
function labelled(
  parts: Pick<TrainingRecipe, 'name' | 'summary'> &
    Pick<RecipeParts, 'objective' | 'groups'> & {
      readonly defaults: Pick<TrainingRecipe['defaults'], 'epochs' | 'batch' | 'lr'>
      readonly optimizer: (lr: number) => Optimizer
    },
): TrainingRecipe {
  const { name, summary, objective, optimizer, groups, defaults } = parts
  const usual = { size: 32, model: 'resnet20_cifar' }
  return {
    name,
    summary,
    needs: 'pictures with labels: a folder of images by class, or a file with image,label',
    columns: ['image', 'label'],
    defaults: { ...defaults, ...usual },
    prepare: ({ data, lr, seed, size = usual.size, model = usual.model }) => ({
      network: freshNetwork(model, {
        config: { num_classes: classesOf(data) },
        size: square(size),
        ...CIFAR10,
        seed,
      }),
      objective,
      optimizer: optimizer(lr),
      schedule: warmedCosine,
      ...(groups && { groups }),
      augment: cropsAndFlips(size),
    }),
  }
}

const adam = (lr: number): Optimizer => ({ kind: 'adam', lr })

export const resnet = labelled({
  name: 'resnet',
  summary: 'A small residual network as a classifier; the embedding is its global pooling',
  defaults: { epochs: 30, batch: 64, lr: 0.1 },
  objective: classification(),
  optimizer: (lr) => sgd(lr, 5e-4),
  groups: biasesAndNorms,
})

export const triplet = labelled({
  name: 'triplet',
  summary:
    'Embeddings in which pictures of one class lie together, by triplets whose negative is just beyond the positive',
  defaults: { epochs: 20, batch: 64, lr: 1e-3 },
  objective: triplets({ mining: 'semi-hard' }),
  optimizer: adam,
})

export const supcon = labelled({
  name: 'supcon',
  summary: 'Embeddings from labels by supervised contrast',
  defaults: { epochs: 20, batch: 128, lr: 1e-3 },
  objective: supervisedContrast({ temperature: 0.1 }),
  optimizer: adam,
})
