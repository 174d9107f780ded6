import { describe, expect, it } from 'vitest'
import { cosineSimilarity } from '../tensor/index.ts'
import { pipeline } from './index.ts'

const STAR = '32,6 40,26 60,26 44,38 50,58 32,46 14,58 20,38 4,26 24,26'
const HEART = 'M32 56 C4 36 6 10 20 10 C28 10 32 18 32 18 C32 18 36 10 44 10 C58 10 60 36 32 56 Z'

/** Drawn for this test, by no artist that the weights were trained on, under the names of emoji. */
const SHAPES: Readonly<Record<string, string>> = {
  'red heart': `<path d="${HEART}" fill="#dd2e44"/>`,
  'blue heart': `<path d="${HEART}" fill="#3b7bea"/>`,
  star: `<polygon points="${STAR}" fill="#ffcc33"/>`,
  'green circle': '<circle cx="32" cy="32" r="26" fill="#5aa83a"/>',
  'orange circle': '<circle cx="32" cy="32" r="26" fill="#f0862a"/>',
  'purple square': '<rect x="6" y="6" width="52" height="52" rx="4" fill="#9055c0"/>',
  'blue square': '<rect x="6" y="6" width="52" height="52" rx="4" fill="#3b7bea"/>',
}

const picture = (body: string): Uint8Array =>
  Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64">${body}</svg>`)

describe('the model of texts and pictures that comes along', () => {
  it('finds pictures by their words and words by their pictures', async () => {
    const embed = await pipeline('text-image-embedding')
    const names = Object.keys(SHAPES)
    const words = await embed.text(names)
    const pictures = await embed.image(Object.values(SHAPES).map(picture))
    expect(words[0]).toHaveLength(embed.embedder.dimensions)
    expect(pictures[0]).toHaveLength(embed.embedder.dimensions)
    const isFirst = (asked: readonly Float32Array[], among: readonly Float32Array[]) =>
      asked.filter((vector, i) =>
        among.every(
          (other, j) => i === j || cosineSimilarity(vector, among[i]!) > cosineSimilarity(vector, other),
        ),
      ).length
    expect(isFirst(words, pictures)).toBeGreaterThanOrEqual(5)
    expect(isFirst(pictures, words)).toBeGreaterThanOrEqual(5)
    await embed.dispose()
  })
})
