/** Recipes that hide parts of pictures: MAE and data2vec. */
import { PipiloError } from '../../base/index.ts'
import { maeNetwork, maskedVitNetwork } from '../maskedNetworks.ts'
import { data2vec as data2vecObjective } from '../methods/data2vec.ts'
import { mae as maeObjective } from '../methods/mae.ts'
import type { TrainingRecipe } from './recipe.ts'
import { checkOwnModel, cropsAndFlips, warmedCosine } from './settings.ts'

/** Pictures are cut into 8 × 8 patches whatever their size. */
const SIDE = 8

const half = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } as const

const shared = {
  needs: 'pictures: a folder, or a file with image; labels are not looked at',
  columns: ['image'],
  defaults: { epochs: 60, batch: 64, lr: 1e-3, size: 64, model: 'vit' },
} as const

/** @throws `OPTION_INVALID` for a size that patches do not fill */
function tiny(size: number) {
  if (size % SIDE !== 0) {
    throw new PipiloError('OPTION_INVALID', `size is ${size}; it has to be a multiple of ${SIDE}.`, {
      input: 'size',
      hint: `Pictures are cut into ${SIDE} × ${SIDE} patches: ${SIDE * Math.max(1, Math.round(size / SIDE))} would do.`,
    })
  }
  return { img_size: size, patch_size: size / SIDE, embed_dim: 192, depth: 4, num_heads: 3 }
}

const settings = (lr: number) => ({
  optimizer: { kind: 'adamw', lr, betas: [0.9, 0.95], weightDecay: 0.05 } as const,
  schedule: warmedCosine,
  groups: [{ names: /\.bias$|norm\d*\.weight$|pos_embed|_token$/, weightDecay: 0 }],
})

export const mae: TrainingRecipe = {
  ...shared,
  name: 'mae',
  summary:
    'A masked autoencoder: a small vision transformer that paints the three quarters of a picture that it does not see',
  prepare: ({ lr, seed, model, size = 64 }) => {
    checkOwnModel('mae', model, shared.defaults.model, 'maeNetwork')
    return {
      network: maeNetwork(
        { ...tiny(size), decoder_embed_dim: 96, decoder_depth: 2, decoder_num_heads: 3 },
        { ...half, seed },
      ),
      objective: maeObjective({ patchSize: size / SIDE }),
      ...settings(lr),
      augment: cropsAndFlips(size),
    }
  },
}

export const data2vec: TrainingRecipe = {
  ...shared,
  name: 'data2vec',
  defaults: { ...shared.defaults, lr: 2e-3 },
  summary:
    'data2vec: a small vision transformer predicts, behind masked patches, what its moving average sees',
  prepare: ({ lr, seed, model, size = 64 }) => {
    checkOwnModel('data2vec', model, shared.defaults.model, 'maskedVitNetwork')
    return {
      network: maskedVitNetwork({ ...tiny(size), top_layers: 4 }, { ...half, seed }),
      // The paper's teacher looks back over 5,000 steps of 500,000; in some hundred or thousand steps it would stay what it began as.
      objective: data2vecObjective({
        grid: [SIDE, SIDE],
        layers: [0, 1, 2, 3].map((block) => `hidden_state_${block}`),
        masks: 'random',
        ratio: 0.5,
        layerNorm: 'batch',
        teacher: { momentum: 0.998, mode: 'inference' },
      }),
      ...settings(lr),
      augment: cropsAndFlips(size),
    }
  },
}
