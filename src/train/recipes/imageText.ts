/** The recipe for pictures with texts. */
import { clipNetwork } from '../clipNetwork.ts'
import { imageText } from '../methods/imageText.ts'
import type { TrainingRecipe } from './recipe.ts'
import { checkOwnModel, cropsAndFlips, warmedCosine } from './settings.ts'

export const clip: TrainingRecipe = {
  name: 'clip',
  summary: 'CLIP: pictures and their texts in one space, two small transformers trained from nothing',
  needs: 'a CSV or JSON-lines file with image,text',
  columns: ['image', 'text'],
  defaults: { epochs: 30, batch: 64, lr: 5e-4, size: 64, model: 'clip' },
  prepare: async ({ lr, seed, model, size = 64 }) => {
    checkOwnModel('clip', model, 'clip', 'await clipNetwork')
    return {
      network: await clipNetwork({ size, seed }),
      objective: imageText(),
      optimizer: { kind: 'adamw', lr, betas: [0.9, 0.98], eps: 1e-6, weightDecay: 0.1 },
      schedule: warmedCosine,
      groups: [{ names: /\.bias$|norm\d*\.weight$|layrnorm\.weight$|embedding|logit_scale/, weightDecay: 0 }],
      clip: 1,
      augment: cropsAndFlips(size),
    }
  },
}
