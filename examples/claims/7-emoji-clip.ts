/**
 * Claim 7: CLIP puts pictures and words in one space.
 *
 *     npx tsx examples/claims/7-emoji-clip.ts [--quick] [--seeds 3] [--json]
 *
 * A small network for pictures is trained on the emoji of four artists, towards frozen MiniLM's vectors of their names and tags behind a learned
 * projection. It is measured on an artist never seen in training, OpenMoji: from each emoji's name to its picture and back, among all of
 * OpenMoji's pictures, and by the words of the nine groups.
 */
import { embedder, semanticSearch } from '../../src/embed/index.ts'
import { classificationMeasures, rankingMeasures, zeroShotPredictions } from '../../src/evaluate/index.ts'
import { trainEmojiClip } from './emoji/clip.ts'
import { ARTISTS } from './emoji/pictures.ts'
import { type Drawing, drawings, isQuick } from './emoji/rows.ts'
import { claim, type Figures } from './shared/claim.ts'
import { indices } from './shared/vectors.ts'

const UNSEEN = 'openmoji'
const SIZE = 32
const AT = [1, 5, 10]

await claim({
  number: 7,
  statement: 'CLIP puts pictures and words in one space',
  async measure(run) {
    const { quick } = run
    const artists = ARTISTS.filter((artist) => artist !== UNSEEN)
    const isWanted = quick ? isQuick : undefined
    const known = await drawings(quick ? artists.slice(0, 2) : artists, SIZE, isWanted)
    const unseen = await drawings([UNSEEN], 72, isWanted)
    const folder = await trainEmojiClip(
      { drawings: known, epochs: quick ? 6 : 30, batch: quick ? 64 : 256, size: SIZE },
      run,
    )
    return measureEmojiClip(folder, unseen)
  },
  checks: {
    'recall@10 from word to picture is at least 20 times chance': atLeast(20, 'word to picture'),
    'recall@10 from picture to word is at least 20 times chance': atLeast(20, 'picture to word'),
    'the words of the groups tell the group better than chance': (figures) =>
      figures['group of a picture']!['balanced accuracy, %']! > figures['group of a picture']!['chance, %']!,
  },
})

/** Recall in both directions, and classification into groups by their words. */
async function measureEmojiClip(folder: string, unseen: readonly Drawing[]): Promise<Figures> {
  const e = await embedder(folder, { modality: 'text-image' })
  const { vectors: pictures } = await e.embed(unseen.map(({ image }) => ({ image })))
  const { vectors: words } = await e.embed(unseen.map(({ emoji }) => ({ text: emoji.label })))
  const groups = unseen.map(({ emoji }) => emoji.group)
  const names = [...new Set(groups)]
  const { vectors: classes } = await e.embed(names.map((name) => ({ text: name.replaceAll('-', ' and ') })))
  await e.dispose()
  const predicted = await zeroShotPredictions(
    pictures,
    classes.map((vector) => [vector]),
  )
  const { balancedAccuracy } = classificationMeasures(predicted, indices(groups))
  return {
    'word to picture': await recalls(words, pictures),
    'picture to word': await recalls(pictures, words),
    chance: Object.fromEntries(AT.map((k) => [`recall@${k}, %`, (100 * k) / unseen.length])),
    'group of a picture': {
      'balanced accuracy, %': 100 * balancedAccuracy,
      'chance, %': 100 / names.length,
    },
  }
}

/** Recall of the row of the same place, in percent. */
async function recalls(
  queries: readonly Float32Array[],
  among: readonly Float32Array[],
): Promise<Figures[string]> {
  const found = await semanticSearch(queries, among, { k: Math.max(...AT) })
  const { mean } = rankingMeasures(
    new Map(found.map((hits, i) => [i, hits.map(({ index }) => index)])),
    new Map(queries.map((_, i) => [i, new Map([[i, 1]])])),
    { at: AT },
  )
  return Object.fromEntries(AT.map((k) => [`recall@${k}, %`, 100 * mean[`recall@${k}`]!]))
}

function atLeast(times: number, row: string): (figures: Figures) => boolean {
  return (figures) => figures[row]!['recall@10, %']! >= times * figures['chance']!['recall@10, %']!
}
