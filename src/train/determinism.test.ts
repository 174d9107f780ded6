/** A run is decided by its seed: order, augmentations, dropout and weights, with threads. */
import { expect, it } from 'vitest'
import { readDataset } from '../embed/index.ts'
import type { Tensor } from '../tensor/index.ts'
import { mnistAugmentation } from './augmentations/presets.ts'
import { classification } from './methods/classification.ts'
import { freshNetwork } from './networks.ts'
import type { Network } from './objective.ts'
import { train } from './train.ts'

const SIDE = 28
const CLASSES = 4

/** Strokes at a slope for each class, thick enough to be learned. */
function digit(index: number) {
  const label = index % CLASSES
  const data = Uint8Array.from({ length: SIDE * SIDE }, (_, i) => {
    const [x, y] = [(i % SIDE) - SIDE / 2 + (index % 3), Math.floor(i / SIDE) - SIDE / 2 - (index % 5)]
    const angle = (Math.PI * label) / CLASSES
    return Math.abs(x * Math.cos(angle) + y * Math.sin(angle)) < 3 ? 255 - 2 * index : index
  })
  return { image: { width: SIDE, height: SIDE, channels: 1 as const, data }, label: `${label}` }
}

async function run(network: (seed: number) => Network, seed: number) {
  const { weights, history, steps } = await train({
    network: network(seed),
    objective: classification(),
    data: await readDataset(Array.from({ length: 44 }, (_, index) => digit(index))),
    augment: mnistAugmentation({ normalize: false }),
    batch: 8,
    epochs: 3,
    optimizer: { kind: 'adamw', lr: 2e-3 },
    seed,
    threads: 2,
  })
  expect(steps).toBe(3 * 5)
  return { weights, losses: history.map(({ numbers }) => numbers['loss']!) }
}

// float64 holds every float32; bytes tell 0 from -0.
const bytes = ({ data }: Tensor) => Buffer.from(Float64Array.from(data, Number).buffer)
const equal = (a: ReadonlyMap<string, Tensor>, b: ReadonlyMap<string, Tensor>) =>
  [...a].map(([name, value]) => [name, bytes(value).equals(bytes(b.get(name)!))] as const)

it.each<[string, (seed: number) => Network]>([
  [
    'LeNet',
    (seed) =>
      freshNetwork('lenet', { config: { num_classes: CLASSES, padding: 2 }, size: [SIDE, SIDE], seed }),
  ],
  [
    'a residual network with statistics of batches',
    (seed) =>
      freshNetwork('resnet18_small', {
        config: { num_classes: CLASSES, in_chans: 1, layers: [1, 1, 1, 1], channels: [8, 8, 16, 16] },
        size: [SIDE, SIDE],
        seed,
      }),
  ],
  [
    'a vision transformer with dropout',
    (seed) =>
      freshNetwork('vit_tiny_patch16_224', {
        config: {
          ...{
            num_classes: CLASSES,
            in_chans: 1,
            img_size: SIDE,
            patch_size: 7,
            embed_dim: 32,
            depth: 2,
            num_heads: 2,
          },
          ...{ proj_drop_rate: 0.1, attn_drop_rate: 0.1, drop_path_rate: 0.1 },
        },
        size: [SIDE, SIDE],
        seed,
      }),
  ],
])('%s becomes the same by the same seed, bit for bit, and another by another', async (_, network) => {
  const [first, again, other] = [await run(network, 3), await run(network, 3), await run(network, 4)]
  expect(equal(first.weights, again.weights).filter(([, same]) => !same)).toEqual([])
  expect(again.losses).toEqual(first.losses)
  const changed = equal(first.weights, other.weights).filter(
    ([name, same]) => !same || name.endsWith('num_batches_tracked'),
  )
  expect(changed).toHaveLength(first.weights.size)
  expect(first.losses.at(-1)).toBeLessThan(first.losses[0]!)
})
