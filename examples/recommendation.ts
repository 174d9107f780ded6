/**
 * Recommendation from what a user liked: the mean of the liked vectors is the taste; marginalRelevance keeps the list from being
 * five times the same thing.
 *
 *     npx tsx recommendation.ts [ITEM]...      # names of emoji; in examples/, after npm ci
 */
import { pathToFileURL } from 'node:url'
import { embedder, marginalRelevance, topK } from 'pipilo'
import { emoji } from './emoji.ts'

export interface Recommendation {
  readonly item: string
  readonly score: number
  readonly vector: Float32Array
}

/** Embeds the items once; what comes back recommends among them. */
export async function recommender(items: readonly string[]) {
  await using e = await embedder('all-MiniLM-L6-v2')
  const { vectors } = await e.embed(items)
  /** @param options `lambda` 1: the nearest, however alike; towards 0: the more different from one another */
  return (liked: readonly string[], { k = 5, lambda = 0.5 } = {}): Recommendation[] => {
    const likes = liked.map((item) => vectors[items.indexOf(item)]).filter((vector) => vector !== undefined)
    if (likes.length === 0) return []
    const taste = likes[0]!.map((_, i) => likes.reduce((sum, vector) => sum + vector[i]! / likes.length, 0))
    // Diversity among the fifty that fit best: what does not fit is no recommendation, however different it is.
    const near = topK(taste, vectors, 50 + liked.length).filter(({ index }) => !liked.includes(items[index]!))
    const candidates = near.map(({ index }) => vectors[index]!)
    return marginalRelevance(taste, candidates, { k, lambda }).map(({ index, score }) => {
      return { item: items[near[index]!.index]!, score, vector: candidates[index]! }
    })
  }
}

/** Names of things: no variants of skin, and words in place of hyphens. */
export function things(): string[] {
  const names = emoji('noto').map(({ name }) => name)
  return names.filter((name) => !/skin-tone|^\d|flag/.test(name)).map((name) => name.replaceAll('-', ' '))
}

if (import.meta.url === pathToFileURL(process.argv[1]!).href) {
  const named = process.argv.slice(2)
  const items = things()
  const liked = (named.length > 0 ? named : ['guitar', 'microphone', 'violin']).filter((item) => {
    const isThere = items.includes(item)
    if (!isThere) console.error(`There is no emoji called ${item}.`)
    return isThere
  })
  if (liked.length === 0) console.log('Nothing was found: name things such as guitar, violin, red apple.')
  else {
    const recommend = await recommender(items)
    for (const { item, score } of recommend(liked)) console.log(score.toFixed(3), item)
  }
}
