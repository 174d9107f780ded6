import { expect, it } from 'vitest'
import { type Data2VecOptions, data2vec, maskedVitNetwork, train } from '../index.ts'
import { pictures } from '../testing/data.ts'

/** The loss of the first step. */
async function firstLoss(options: Partial<Data2VecOptions>): Promise<number> {
  const network = maskedVitNetwork(
    { img_size: 32, patch_size: 8, in_chans: 3, embed_dim: 24, depth: 2, num_heads: 3, top_layers: 2 },
    { seed: 5 },
  )
  const losses: number[] = []
  await train({
    network,
    objective: data2vec({ grid: [4, 4], layers: ['hidden_state_0', 'hidden_state_1'], ...options }),
    data: await pictures(8, { size: 32, channels: 3 }),
    batch: 8,
    epochs: 1,
    seed: 3,
    onProgress: (event) => {
      if (event.kind === 'step') losses.push(event.numbers.loss!)
    },
  })
  return losses[0]!
}

it('masks blocks or single patches, and standardises layers as asked', async () => {
  const all = await Promise.all(
    [
      {},
      { masks: 'random' as const },
      { layerNorm: 'batch' as const },
      { masks: 'random' as const, layerNorm: 'batch' as const, ratio: 0.5 },
    ].map(firstLoss),
  )
  expect(all.every((loss) => Number.isFinite(loss) && loss > 0)).toBe(true)
  expect(new Set(all).size).toBe(all.length)
  expect(await firstLoss({ masks: 'blocks', layerNorm: 'layer', ratio: 0.6 })).toBe(all[0])
})

it('refuses shapes of masks and norms that are none', () => {
  const options = { grid: [4, 4], layers: ['hidden_state_1'] } as const
  expect(() => data2vec({ ...options, masks: 'rows' as never })).toThrow(
    expect.objectContaining({ code: 'OPTION_INVALID' }),
  )
  expect(() => data2vec({ ...options, layerNorm: 'position' as never })).toThrow(
    expect.objectContaining({ code: 'OPTION_INVALID' }),
  )
})
