import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { loadTensor, parametersOf } from '../graph/index.ts'
import { freshNetwork, maskedVitNetwork, type Network } from './index.ts'

const invalid = (message: RegExp) =>
  expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringMatching(message) })

/** The `config.json` of the network's folder. */
async function written({ write, inference }: Network): Promise<Record<string, unknown>> {
  const folder = mkdtempSync(join(tmpdir(), 'pipilo-network-'))
  try {
    const weights = parametersOf(inference).map(
      async ({ name }) => [name, await loadTensor(inference.initializers.get(name)!)] as const,
    )
    await write!(folder, new Map(await Promise.all(weights)))
    return JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

it('writes the size into the settings of transformers, which timm builds them by', async () => {
  const config = { depth: 1, embed_dim: 24, num_heads: 3 }
  const vit = freshNetwork('vit_tiny_patch16_224', { config, size: [32, 48] })
  expect(await written(vit)).toMatchObject({
    model_args: { ...config, img_size: [32, 48] },
    pretrained_cfg: { input_size: [3, 32, 48] },
  })
  const resnet = await written(freshNetwork('resnet8', { size: [32, 32] }))
  expect(JSON.stringify(resnet)).not.toContain('img_size')
})

it('refuses a type of transformers’ models, whose run nothing would open', () => {
  expect(() => freshNetwork('vit', { size: [32, 32] })).toThrow(invalid(/vit is a type of transformers/))
})

it('refuses statistics of other channels', () => {
  const of = (options: object) => () => freshNetwork('resnet8', { size: [32, 32], ...options })
  expect(of({ mean: [0.5] })).toThrow(invalid(/mean has 1 numbers; resnet8 takes pictures of 3 channels/))
  expect(of({ std: [0.5, 0.5] })).toThrow(invalid(/std has 2 numbers/))
  expect(of({ std: [1, 0, 1] })).toThrow(invalid(/std has 0/))
  const masked = { img_size: 32, patch_size: 8, embed_dim: 24, depth: 1, num_heads: 3 }
  expect(() => maskedVitNetwork(masked, { mean: [0.5] })).toThrow(invalid(/mean has 1 numbers/))
})
