import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { AnyInput, EmbedResult } from '../../embed/index.ts'
import type { Opened } from '../models/modelTable.ts'
import { VectorCache } from './vectorCache.ts'

const folder = mkdtempSync(join(tmpdir(), 'pipilo-cache-'))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const opened = (recipeKey: string) =>
  ({ recipeKey, embedder: { modality: 'text', dimensions: 4 } }) as unknown as Opened

/** Embeds texts by their letters, and counts. */
function letters() {
  const asked: string[] = []
  const embed = async (texts: readonly AnyInput[]): Promise<EmbedResult> => {
    asked.push(...(texts as string[]))
    const vectors = (texts as string[]).map((text) =>
      Float32Array.of(text.length, text.charCodeAt(0), 0.5, -1),
    )
    const data = Float32Array.from(vectors.flatMap((vector) => [...vector]))
    const truncated = texts.flatMap((text, i) => (text === 'long' ? [i] : []))
    return { vectors, data, dimensions: 4, truncated, tokens: texts.map(() => 3), errors: [] }
  }
  return { asked, embed }
}

const cacheOf = (bytes = 2 ** 20) =>
  new VectorCache(folder, bytes, (error) => {
    throw error
  })

describe('the cache', () => {
  it('gives what it has seen, also to the next process, in the order of the inputs', async () => {
    const { asked, embed } = letters()
    let cache = cacheOf()
    const through = (texts: string[], options = {}, key = 'a') =>
      cache.through(opened(key), texts, options, embed)
    const first = await through(['owl', 'wren', 'owl', 'long'])
    expect(asked).toEqual(['owl', 'wren', 'long'])
    expect(first.vectors[2]).toEqual(first.vectors[0])
    await cache.close()
    cache = cacheOf()
    const again = await through(['heron', 'long', 'owl'])
    expect(asked.splice(0)).toEqual(['owl', 'wren', 'long', 'heron'])
    expect(again).toMatchObject({ truncated: [1], tokens: [3, 3, 3], dimensions: 4 })
    expect(again.vectors[2]).toEqual(first.vectors[0])
    expect([cache.hits, cache.misses]).toEqual([2, 1])
    // Another prompt, another cut, another recipe: other vectors.
    await through(['owl'], { prompt: 'query' })
    await through(['owl'], { truncate: 'start' })
    await through(['owl'], {}, 'b')
    expect(asked).toEqual(['owl', 'owl', 'owl'])
    await cache.close()
  })

  it('forgets records that are damaged or cut off', async () => {
    const { asked, embed } = letters()
    let cache = cacheOf()
    await cache.through(opened('a'), ['owl', 'wren', 'heron'], {}, embed)
    await cache.close()
    const path = join(folder, readdirSync(folder)[0]!)
    const bytes = readFileSync(path)
    bytes[8 + 16 + 8]! ^= 1
    writeFileSync(path, bytes)
    truncateSync(path, bytes.length - 5)
    cache = cacheOf()
    asked.length = 0
    await cache.through(opened('a'), ['owl', 'wren', 'heron'], {}, embed)
    expect(asked).toEqual(['owl', 'heron'])
    await cache.close()
  })

  it('stays within its bytes', async () => {
    const { embed } = letters()
    const cache = cacheOf(8192)
    for (let i = 0; i < 60; i++)
      await cache.through(
        opened(i % 2 ? 'a' : 'b'),
        Array.from({ length: 10 }, (_, j) => `${i} ${j}`),
        {},
        embed,
      )
    await cache.close()
    const sizes = readdirSync(folder).map((name) => statSync(join(folder, name)).size)
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(8192 + 1024)
    expect(sizes.length).toBeGreaterThan(5)
  })

  it('leaves vectors of different lengths to the embedder', async () => {
    const cache = cacheOf()
    const refusal = new Error('different lengths')
    const embed = async (texts: readonly AnyInput[]): Promise<EmbedResult> => {
      const lengths = (texts as string[]).map((text) => text.length)
      if (new Set(lengths).size > 1) throw refusal
      const data = new Float32Array(lengths.length * lengths[0]!).fill(1)
      const vectors = lengths.map((length, i) => data.subarray(i * length, (i + 1) * length))
      return { vectors, data, dimensions: lengths[0]!, truncated: [], tokens: lengths, errors: [] }
    }
    const through = (texts: string[]) => cache.through(opened('flat'), texts, {}, embed)
    await through(['owl'])
    await vi.waitFor(async () => {
      await through(['owl'])
      expect(cache.hits).toBeGreaterThan(0)
    })
    await expect(through(['owl', 'heron'])).rejects.toBe(refusal)
    await expect(through(['owl', 'it'])).rejects.toBe(refusal)
    expect((await through(['heron'])).vectors[0]).toHaveLength(5)
    await cache.close()
  })
})
