/** Recipes that learn without labels: autoencoders, SimCLR, BYOL. */
import { byolAugmentation, simClrAugmentation } from '../augmentations/index.ts'
import { byol as byolObjective } from '../methods/byol.ts'
import { reconstruction } from '../methods/reconstruction.ts'
import { simClr } from '../methods/simClr.ts'
import { freshNetwork } from '../networks.ts'
import type { RecipeChoices, TrainingRecipe } from './recipe.ts'
import { square, warmedCosine } from './settings.ts'

function autoencoderRecipe(name: string, summary: string, noise: number): TrainingRecipe {
  return {
    name,
    summary,
    needs: 'pictures: mnist, a folder, or a file with image',
    columns: ['image'],
    defaults: { epochs: 20, batch: 128, lr: 1e-3, size: 28, model: 'mlp_autoencoder' },
    prepare: ({ lr, seed, size = 28, model = 'mlp_autoencoder' }) => ({
      network: freshNetwork(model, { size: square(size), seed }),
      objective: reconstruction({ noise }),
      optimizer: { kind: 'adam', lr },
      schedule: warmedCosine,
    }),
  }
}

export const autoencoder = autoencoderRecipe(
  'autoencoder',
  'An autoencoder; the embedding is its code, the output `latent`',
  0,
)

export const denoisingAutoencoder = autoencoderRecipe(
  'denoising-autoencoder',
  'An autoencoder that is given noisy pictures and restores the clean ones',
  0.3,
)

function viewsRecipe(
  parts: Pick<TrainingRecipe, 'name' | 'summary'> &
    Pick<Awaited<ReturnType<TrainingRecipe['prepare']>>, 'objective'>,
  views: (size: number) => Parameters<typeof withViews>[1],
): TrainingRecipe {
  const { objective, ...named } = parts
  return {
    ...named,
    needs: 'pictures: a folder, or a file with image; labels are not looked at',
    columns: ['image'],
    defaults: { epochs: 40, batch: 128, lr: 2e-3, size: 32, model: 'resnet8' },
    prepare: (choices) => withViews(choices, views(choices.size ?? 32), objective),
  }
}

function withViews(
  { lr, seed, size = 32, model = 'resnet8' }: RecipeChoices,
  augment: NonNullable<Awaited<ReturnType<TrainingRecipe['prepare']>>['augment']>,
  objective: Awaited<ReturnType<TrainingRecipe['prepare']>>['objective'],
) {
  return {
    network: freshNetwork(model, {
      config: { num_classes: 0 },
      size: square(size),
      mean: [0.5, 0.5, 0.5],
      std: [0.5, 0.5, 0.5],
      seed,
    }),
    objective,
    optimizer: { kind: 'adam', lr, weightDecay: 1e-6 } as const,
    schedule: warmedCosine,
    augment,
    decodeSize: Math.round(size * 1.25),
  }
}

const gentle = { normalize: false, minimumScale: 0.2, strength: 0.5 } as const

export const simclr = viewsRecipe(
  {
    name: 'simclr',
    summary: 'SimCLR: two augmented views of a picture attract each other, all others repel',
    objective: simClr({ temperature: 0.2 }),
  },
  (size) => simClrAugmentation(size, gentle),
)

export const byol = viewsRecipe(
  {
    name: 'byol',
    summary: 'BYOL: the network predicts what its moving average makes of another view',
    // The paper's 0.996 looks back over 250 steps, too many for runs of some hundred.
    objective: byolObjective({ hidden: 512, out: 128, teacher: { momentum: 0.97, finalMomentum: 1 } }),
  },
  (size) => byolAugmentation(size, gentle),
)
