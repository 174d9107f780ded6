/**
 * Trains a small network in a process of its own, which a test may end at any moment; run again, it goes on.
 *
 *     tsx runTraining.ts <folder> [lenet | autoencoder | dropout] [milliseconds between steps]
 */
import { classification, freshNetwork, reconstruction, train } from '../index.ts'
import { pictures } from '../testing/data.ts'

const [out, kind = 'lenet', pause = '0'] = process.argv.slice(2)
const size = [16, 16] as const

function networkOf() {
  if (kind === 'lenet')
    return freshNetwork('lenet', { config: { num_classes: 3, act: 'relu', pool: 'max' }, size })
  if (kind === 'autoencoder')
    return freshNetwork('mlp_autoencoder', { config: { hidden: [64], latent: 8 }, size })
  const widths = { patch_size: 8, embed_dim: 12, depth: 1, num_heads: 2, in_chans: 1, num_classes: 3 }
  return freshNetwork('vit_tiny_patch16_224', {
    config: { ...widths, drop_rate: 0.3, attn_drop_rate: 0.2 },
    size,
  })
}

await train({
  network: networkOf(),
  objective: kind === 'autoencoder' ? reconstruction({ noise: 0.1 }) : classification(),
  data: await pictures(32),
  batch: 4,
  epochs: 5,
  optimizer: { kind: 'adam', lr: 2e-3 },
  schedule: (steps) => ({ kind: 'cosine', steps }),
  seed: 9,
  threads: 1,
  checkpoint: 3,
  logEvery: 2,
  resume: true,
  out: out!,
  metrics: {
    every: 1,
    compute: async () => {
      await new Promise((resolve) => setTimeout(resolve, Number(pause)))
      return {}
    },
  },
  onProgress: ({ kind, step }) => process.stdout.write(`${kind} ${step}\n`),
})
process.stdout.write('done\n')
