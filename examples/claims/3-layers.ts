/**
 * Claim 3: pooled early layers win where low-level features matter (which artist drew this emoji), late layers where meaning matters (which emoji
 * it is).
 *
 *     npx tsx examples/claims/3-layers.ts [--quick] [--seeds 3] [--json]
 *
 * Layers of MobileNetV2, pooled by the mean, less the mean of all pictures. Emoji that all five artists have drawn, others for each seed. Artist: the five
 * nearest among pictures of other emoji. Emoji: the nearest picture by another artist is of the same emoji, over all pairs of artists.
 */
import { semanticSearch } from '../../src/embed/index.ts'
import { seeded } from '../../src/nn/index.ts'
import { ARTISTS } from './emoji/pictures.ts'
import { type Drawing, drawings, isQuick } from './emoji/rows.ts'
import { claim, type Figures } from './shared/claim.ts'
import { centred, neighbourAccuracy, vectorsOf } from './shared/vectors.ts'

const LAYERS = [
  'Conv1_relu',
  'block_1_project_BN',
  'block_3_project_BN',
  'block_6_project_BN',
  'block_8_add',
  'block_10_project_BN',
  'block_13_project_BN',
  'block_16_project_BN',
  'out_relu',
]
const EARLY = LAYERS.slice(0, 3)
const LATE = LAYERS.slice(5)

const ARTIST = 'artist, %'
const EMOJI = 'emoji, %'

await claim({
  number: 3,
  statement: 'Pooled early layers tell the artist, late layers what is drawn',
  async measure({ seed, quick, say }) {
    const pictures = await sharedDrawings(quick ? 40 : 200, seed, quick ? isQuick : undefined)
    const figures: Record<string, Figures[string]> = {}
    for (const tap of quick ? LAYERS.filter((_, i) => i % 4 === 0) : LAYERS) {
      const images = pictures.map(({ image }) => image)
      const vectors = centred(
        await vectorsOf('mobilenet-v2', images, { tap, pool: 'mean', normalize: false }),
      )
      figures[tap] = {
        [ARTIST]: await artistAccuracy(pictures, vectors),
        [EMOJI]: await sameEmoji(pictures, vectors),
      }
      say(`${tap}: ${JSON.stringify(figures[tap])}`)
    }
    const emoji = pictures.length / ARTISTS.length
    figures['chance'] = { [ARTIST]: 100 / ARTISTS.length, [EMOJI]: 100 / emoji }
    return figures
  },
  checks: {
    'the layer that tells the artist best is earlier than the one that tells the emoji best': (figures) =>
      LAYERS.indexOf(bestLayer(figures, ARTIST)) < LAYERS.indexOf(bestLayer(figures, EMOJI)),
    'the best of the first three layers tells the artist better than the best of the last four': (figures) =>
      most(figures, EARLY, ARTIST) > most(figures, LATE, ARTIST),
    'the best of the last four layers tells the emoji better than the best of the first three': (figures) =>
      most(figures, LATE, EMOJI) > most(figures, EARLY, EMOJI),
  },
})

function most(figures: Figures, layers: readonly string[], column: string): number {
  return Math.max(...layers.map((layer) => figures[layer]?.[column] ?? 0))
}

function bestLayer(figures: Figures, column: string): string {
  const measured = LAYERS.filter((layer) => layer in figures)
  return measured.reduce((best, layer) => (figures[layer]![column]! > figures[best]![column]! ? layer : best))
}

/** Pictures of some emoji by all artists: artist after artist, in the same order. */
async function sharedDrawings(
  count: number,
  seed: number,
  isWanted?: (index: number) => boolean,
): Promise<Drawing[]> {
  const all = await drawings(ARTISTS, 72, isWanted)
  const artistsOf = new Map<number, number>()
  for (const { index } of all) artistsOf.set(index, (artistsOf.get(index) ?? 0) + 1)
  const random = seeded(seed, 'emoji')
  const chosen = [...artistsOf]
    .filter(([, artists]) => artists === ARTISTS.length)
    .map(([index]) => ({ index, place: random.uniform() }))
    .sort((a, b) => a.place - b.place)
    .slice(0, count)
    .map(({ index }) => index)
  const wanted = new Set(chosen)
  return all.filter(({ index }) => wanted.has(index))
}

/** Each half of the emoji is asked among the other half, so that no picture meets its own emoji. */
async function artistAccuracy(
  pictures: readonly Drawing[],
  vectors: readonly Float32Array[],
): Promise<number> {
  const order = [...new Set(pictures.map(({ index }) => index))]
  const halves = [0, 1].map((half) => {
    const rows = pictures.flatMap(({ index }, row) => (order.indexOf(index) % 2 === half ? [row] : []))
    return {
      vectors: rows.map((row) => vectors[row]!),
      labels: rows.map((row) => ARTISTS.indexOf(pictures[row]!.artist)),
    }
  })
  const [first, second] = halves
  return ((await neighbourAccuracy(first!, second)) + (await neighbourAccuracy(second!, first))) / 2
}

async function sameEmoji(pictures: readonly Drawing[], vectors: readonly Float32Array[]): Promise<number> {
  const by = ARTISTS.map((artist) => vectors.filter((_, row) => pictures[row]!.artist === artist))
  let right = 0
  let asked = 0
  for (const queries of by) {
    for (const among of by) {
      if (queries === among) continue
      const found = await semanticSearch(queries, among, { k: 1 })
      right += found.filter(([nearest], i) => nearest!.index === i).length
      asked += found.length
    }
  }
  return (100 * right) / asked
}
