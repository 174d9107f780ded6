import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { embedder } from '../../embed/index.ts'
import { open } from '../../models/index.ts'
import { evaluate, evaluateLayers, readTask, type Task } from '../index.ts'

const model = fileURLToPath(new URL('../../models/testdata/sentence-transformers', import.meta.url))
let folder: string
let pairs: Task
let labelled: Task
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipilo-layers-'))
  const write = (name: string, rows: readonly object[]) => {
    writeFileSync(join(folder, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
    return readTask(join(folder, name))
  }
  const words = ['a towhee sings', 'an owl hunts at night', 'the bank lends', 'prices rise', 'a heron waits']
  pairs = await write(
    'pairs.jsonl',
    words.flatMap((sentence1, i) => [
      { sentence1, sentence2: `${sentence1} again`, score: 4 + (i % 2) },
      { sentence1, sentence2: words[(i + 2) % 5]!, score: i % 3 },
    ]),
  )
  labelled = await write(
    'labelled.jsonl',
    ['towhee', 'owl', 'wren', 'heron', 'bank', 'tax', 'fund', 'price'].flatMap((word, i) =>
      ['the', 'a'].map((article) => ({ text: `${article} ${word}`, label: i < 4 ? 'bird' : 'money' })),
    ),
  )
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('evaluateLayers', () => {
  it('gives each layer the numbers of an embedder that taps it, in the order of depth', async () => {
    const { layers, best, default: own, left, passes } = await evaluateLayers(model, pairs, { resamples: 20 })
    expect(passes).toBe(1)
    const depths = layers.map(({ depth }) => depth)
    expect(depths).toEqual(depths.toSorted((a, b) => a - b))
    expect(layers.every(({ main }) => main.value <= layers[best]!.main.value)).toBe(true)
    expect(layers[own!]).toMatchObject({ isDefault: true })
    // The types of tokens are the same in all texts.
    expect(left.map(({ layer }) => layer)).toContain('embeddings.token_type_embeddings')
    for (const at of [0, Math.floor(layers.length / 2), own!]) {
      const { layer, main, measures, model: told } = layers[at]!
      const e = await embedder(model, { tap: layer, normalize: true })
      const alone = await evaluate(e, pairs, { resamples: 20 })
      expect(told).toMatchObject({ tap: layer, dimensions: e.dimensions })
      expect(measures['pearson']).toBeCloseTo(alone.measures['pearson']!, 5)
      expect(main.value).toBeCloseTo(alone.main.value, 5)
      await e.dispose()
    }
  })

  it('gives the same where memory holds only a few layers at a time', async () => {
    const wide = await evaluateLayers(await open(model), labelled, {
      resamples: 0,
      neighbors: 2,
      probe: false,
    })
    const narrow = await evaluateLayers(await open(model), labelled, {
      resamples: 0,
      neighbors: 2,
      probe: false,
      memory: 8000,
    })
    expect(narrow.passes).toBeGreaterThan(1)
    expect(narrow.layers.map(({ layer }) => layer)).toEqual(wide.layers.map(({ layer }) => layer))
    expect(narrow.layers.map(({ measures }) => measures['knn_accuracy'])).toEqual(
      wide.layers.map(({ measures }) => measures['knn_accuracy']),
    )
  })

  it('measures chosen layers, and refuses those that give no vector', async () => {
    const names = ['hidden_states.1', 'last_hidden_state']
    const { layers } = await evaluateLayers(model, pairs, { layers: names, resamples: 0 })
    expect(layers.map(({ layer }) => layer)).toEqual(names)
    for (const wrong of ['attentions.0', 'embeddings.position_embeddings'])
      await expect(evaluateLayers(model, pairs, { layers: [wrong] })).rejects.toMatchObject({
        code: 'OPTION_INVALID',
      })
    await expect(evaluateLayers(model, pairs, { layers: ['nothing'] })).rejects.toMatchObject({
      code: 'LAYER_UNKNOWN',
    })
  })
})
