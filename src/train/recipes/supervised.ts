/** Recipes that learn from labels: LeNet-5, residual networks, triplets, supervised contrast. */
import { PipiloError } from '../../base/index.ts'
import type { Dataset } from '../../embed/index.ts'
import { CIFAR10, MNIST } from '../augmentations/index.ts'
import { classification } from '../methods/classification.ts'
import { supervisedContrast, triplets } from '../methods/labelledEmbeddings.ts'
import { type FreshNetworkOptions, freshNetwork } from '../networks.ts'
import type { RecipeChoices, TrainingRecipe } from './recipe.ts'
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

function colourNetwork(
  name: string,
  { data, seed }: RecipeChoices,
  size: number,
  options: FreshNetworkOptions = {},
) {
  const { config, ...rest } = options
  return freshNetwork(name, {
    config: { ...config, num_classes: classesOf(data) },
    size: square(size),
    ...CIFAR10,
    seed,
    ...rest,
  })
}

export const resnet: TrainingRecipe = {
  name: 'resnet',
  summary: 'A small residual network as a classifier; the embedding is its global pooling',
  needs: 'pictures with labels: a folder of images by class, or a file with image,label',
  columns: ['image', 'label'],
  defaults: { epochs: 30, batch: 64, lr: 0.1, size: 32, model: 'resnet20_cifar' },
  prepare: (choices) => {
    const { lr, size = 32, model = 'resnet20_cifar' } = choices
    return {
      network: colourNetwork(model, choices, size),
      objective: classification(),
      optimizer: sgd(lr, 5e-4),
      schedule: warmedCosine,
      groups: biasesAndNorms,
      augment: cropsAndFlips(size),
    }
  },
}

export const triplet: TrainingRecipe = {
  name: 'triplet',
  summary: 'Embeddings in which pictures of one class lie together, by the hardest triplets of each batch',
  needs: 'pictures with labels: a folder of images by class, or a file with image,label',
  columns: ['image', 'label'],
  defaults: { epochs: 20, batch: 64, lr: 1e-3, size: 32, model: 'resnet20_cifar' },
  prepare: (choices) => {
    const { lr, size = 32, model = 'resnet20_cifar' } = choices
    return {
      network: colourNetwork(model, choices, size),
      objective: triplets(),
      optimizer: { kind: 'adam', lr },
      schedule: warmedCosine,
      augment: cropsAndFlips(size),
    }
  },
}

export const supcon: TrainingRecipe = {
  name: 'supcon',
  summary: 'Embeddings from labels by supervised contrast',
  needs: 'pictures with labels: a folder of images by class, or a file with image,label',
  columns: ['image', 'label'],
  defaults: { epochs: 20, batch: 128, lr: 1e-3, size: 32, model: 'resnet20_cifar' },
  prepare: (choices) => {
    const { lr, size = 32, model = 'resnet20_cifar' } = choices
    return {
      network: colourNetwork(model, choices, size),
      objective: supervisedContrast(),
      optimizer: { kind: 'adam', lr },
      schedule: warmedCosine,
      augment: cropsAndFlips(size),
    }
  },
}
