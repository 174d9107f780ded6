/**
 * The cosine from which two inputs are near-identical, for the default models and for mobilenet-v2, by the best F1 and by precision; the cards'
 * thresholds come from here.
 *
 *     npx tsx evaluate/duplicates.ts [texts|pictures]        # in bench/
 *
 * Texts: pairs of STS-B train; near-identical are those that people scored 5, "completely equivalent". Checked on dev. Pictures: the sample
 * photographs and drawings, and Noto's emoji of animals, food and objects (PICTURES names the folder that train/emoji/pictures.ts draws), with
 * copies of each: half as large, recompressed, cropped by a tenth, brighter. All pairs of different ones are the others. Chosen on half of the
 * originals, checked on the other half.
 */
import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { stsPairs } from '../../examples/claims/shared/stsb.ts'
import { type Embedder, embedder } from '../../src/embed/index.ts'
import { bestThreshold, duplicates } from '../../src/evaluate/index.ts'
import { cosineSimilarity } from '../../src/tensor/index.ts'

const table: Record<string, Record<string, string | number>> = {}

const [only] = process.argv.slice(2)
if (only !== 'pictures') await ofTexts()
if (only !== 'texts') for (const name of ['mobilenet-v2', 'mobilenet-v2-whitened']) await ofPictures(name)
console.table(table)

async function ofTexts(): Promise<void> {
  const texts = await embedder('all-MiniLM-L6-v2')
  const judged = async (part: 'train' | 'dev') => {
    const pairs = stsPairs(part)
    const { vectors } = await texts.embed(pairs.flatMap(({ sentence1, sentence2 }) => [sentence1, sentence2]))
    return {
      scores: pairs.map((_, i) => cosineSimilarity(vectors[2 * i]!, vectors[2 * i + 1]!)),
      same: pairs.map(({ score }) => score >= 5),
    }
  }
  report('all-MiniLM-L6-v2', await judged('train'), await judged('dev'))
  await speed(texts)
  await texts.dispose()
}

async function ofPictures(name: string): Promise<void> {
  const pictures = await embedder(name)
  const samples = fileURLToPath(new URL('../../samples/pictures/', import.meta.url))
  // Details of a photograph that is there as well, and second views, are neither copies nor others.
  const own = readdirSync(samples)
    .filter((name) => !/-(face|2|close|cup|walking)\./.test(name))
    .map((name) => join(samples, name))
  const drawn = ['animals-nature', 'food-drink', 'objects'].flatMap((group) => {
    const folder = join(process.env['PICTURES'] ?? join(tmpdir(), 'pipilo-emoji'), 'noto', group)
    return readdirSync(folder).map((name) => join(folder, name))
  })
  const originals = [...own, ...drawn]
  const changes: Record<
    string,
    (image: sharp.Sharp, size: { width: number; height: number }) => sharp.Sharp
  > = {
    smaller: (image, { width }) => image.resize({ width: Math.round(width / 2) }).png(),
    recompressed: (image) => image.flatten({ background: '#fff' }).jpeg({ quality: 30 }),
    cropped: (image, { width, height }) =>
      image
        .extract({
          left: Math.round(0.05 * width),
          top: Math.round(0.05 * height),
          width: Math.round(0.9 * width),
          height: Math.round(0.9 * height),
        })
        .png(),
    brighter: (image) => image.modulate({ brightness: 1.15 }).png(),
  }
  const copies = await Promise.all(
    originals.map(async (path) => {
      const { width, height } = await sharp(path).metadata()
      return Promise.all(
        Object.values(changes).map((change) => change(sharp(path), { width, height }).toBuffer()),
      )
    }),
  )
  const { vectors } = await pictures.embed(originals.flatMap((path, i) => [path, ...copies[i]!]))
  const each = 1 + Object.keys(changes).length
  report(name, half(0), half(1))
  console.table(byPrecision(half(0)))
  console.table(
    Object.fromEntries(
      Object.keys(changes).map((name, at) => {
        const scores = originals.map((_, i) =>
          cosineSimilarity(vectors[i * each]!, vectors[i * each + at + 1]!),
        )
        const sorted = scores.toSorted((a, b) => a - b)
        return [name, { least: sorted[0]!.toFixed(4), median: sorted[scores.length >> 1]!.toFixed(4) }]
      }),
    ),
  )
  await pictures.dispose()

  /** All pairs of an original with its copies, and with the originals of others, in one half. */
  function half(rest: number) {
    const chosen = originals.map((_, i) => i).filter((i) => i % 2 === rest)
    const scores: number[] = []
    const same: boolean[] = []
    for (const [place, i] of chosen.entries()) {
      for (let copy = 1; copy < each; copy++) {
        scores.push(cosineSimilarity(vectors[i * each]!, vectors[i * each + copy]!))
        same.push(true)
      }
      for (const j of chosen.slice(0, place)) {
        scores.push(cosineSimilarity(vectors[i * each]!, vectors[j * each]!))
        same.push(false)
      }
    }
    return { scores, same }
  }
}

interface Judged {
  readonly scores: readonly number[]
  readonly same: readonly boolean[]
}

function report(name: string, chosen: Judged, checked: Judged): void {
  const { threshold, f1, precision, recall } = bestThreshold(chosen.scores, chosen.same)
  let [right, taken, all] = [0, 0, 0]
  for (const [i, score] of checked.scores.entries()) {
    if (score >= threshold) taken++
    if (checked.same[i]) all++
    if (checked.same[i] && score >= threshold) right++
  }
  table[name] = {
    pairs: chosen.scores.length,
    threshold: threshold.toFixed(4),
    F1: f1.toFixed(3),
    precision: precision.toFixed(3),
    recall: recall.toFixed(3),
    'F1 elsewhere': ((2 * right) / (taken + all)).toFixed(3),
  }
}

/** The lowest threshold from which so many of the pairs are copies, and the share of all copies that are found. */
function byPrecision({ scores, same }: Judged): Record<string, { threshold: string; recall: string }> {
  const order = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]!)
  const all = same.filter(Boolean).length
  const rows: Record<string, { threshold: string; recall: string }> = {}
  for (const wanted of [0.8, 0.9, 0.95, 0.99]) {
    let right = 0
    for (const [place, i] of order.entries()) {
      if (same[i]) right++
      if (right / (place + 1) < wanted) continue
      rows[`precision ${wanted}`] = { threshold: scores[i]!.toFixed(3), recall: (right / all).toFixed(3) }
    }
  }
  return rows
}

/** 20,000 texts, a tenth of them with a full stop more. */
async function speed(texts: Embedder): Promise<void> {
  const words = stsPairs('train').flatMap(({ sentence1, sentence2 }) => [sentence1, sentence2])
  const many = Array.from({ length: 20_000 }, (_, i) =>
    i < words.length
      ? words[i]!
      : i % 9 === 0
        ? `${words[i - words.length]!}!`
        : `${words[i - words.length]!} ${i}`,
  )
  const start = performance.now()
  const { groups, cost, redundant } = await duplicates(texts, many, { threshold: 0.97 })
  const seconds = (performance.now() - start) / 1000
  console.log(
    `20,000 texts: ${groups.length} groups, ${redundant} redundant; ${seconds.toFixed(0)} s in all, ${cost.perSecond.toFixed(0)} texts/s embedded, ${(cost.memory / 1e6).toFixed(0)} MB`,
  )
}
