import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { checkOptions } from './checkOptions.ts'
import { embedder } from './embedder.ts'
import { resolveRecipe } from './openRecipe.ts'

const text = join(fileURLToPath(new URL('../models/testdata', import.meta.url)), 'sentence-transformers')

describe('an option of an embedder', () => {
  it.each([
    ['pool', 'average'],
    ['pool', 'toString'],
    ['pool', null],
    ['tap', ''],
    ['tap', []],
    ['tap', ['']],
    ['tap', ['embeddings', 5]],
    ['tap', null],
    ['normalize', 'false'],
    ['normalize', 0],
    ['chunk', true],
    ['chunk', null],
    ['chunk', 128],
    ['chunk', { pool: 'first' }],
    ['chunk', { tokens: 2.5 }],
    ['chunk', { tokens: 0 }],
    ['chunk', { overlap: -1 }],
    ['chunk', { overlap: '4' }],
    ['maxLength', '8'],
    ['maxLength', 0],
    ['dimensions', Number.NaN],
    ['dimensions', 2.5],
  ])('is refused: %s of %j', async (name, value) => {
    const refused = { code: 'OPTION_INVALID', input: name, message: expect.stringMatching(`^${name}`) }
    await expect(embedder(text, { [name]: value })).rejects.toMatchObject(refused)
    await expect(resolveRecipe(text, { [name]: value })).rejects.toMatchObject(refused)
  })

  it('is taken where it says something, or nothing', () => {
    checkOptions({})
    for (const pool of ['cls', 'mean', 'max', 'last', 'none'] as const) checkOptions({ pool })
    checkOptions({ tap: ['a', 'b'], normalize: false, chunk: {}, maxLength: 1, dimensions: 1 })
    checkOptions({ tap: 'a', chunk: { tokens: 8, overlap: 0, pool: 'keep' } })
  })
})

it('refuses another onError than throw and skip', async () => {
  await using e = await embedder(text, { runtime: { workers: 0 } })
  const refused = { code: 'OPTION_INVALID', input: 'onError' }
  await expect(e.embed(['a'], { onError: 'ignore' as never })).rejects.toMatchObject(refused)
  await expect(e.stream(['a'], { onError: true as never }).next()).rejects.toMatchObject(refused)
  expect((await e.embed(['a'], { onError: 'skip' })).errors).toEqual([])
})
