/**
 * Search for the best embedding layer of a picture model: recall on pictures, layer by layer and for concatenations.
 *
 *     npx tsx bench/taps.ts mobilenet_v2     # or inception_v3
 *
 * Two measures, both with cosine similarity on L2-normalised vectors:
 *
 * - **drawings**: 200 emoji in three artists' hands (Noto, Twemoji, OpenMoji). Each looks for itself among another artist's
 *   200; recall@1 averaged over the six pairs (chance 0.005), and of Noto with Twemoji alone, whose styles are nearer.
 * - **photographs**: 12 views (crop, rotation, flip, brightness, saturation, blur, JPEG) of each photograph in `samples/`.
 *   Each view looks for the other 11 among all; mean average precision (chance about 0.05) and recall@1.
 *
 * Concatenations normalise each part first, as `tap: [a, b]` does, so their similarity is the mean of the parts'.
 */
import { Builder, layers, op, resolveLayer } from '../src/graph/index.ts'
import { compile } from '../src/runtime/index.ts'
import { graphOf, nsfw } from './pictureGraph.ts'
import { decoded, drawing, firstPhotographs, normalised, SETS, sharedEmoji, viewsOf } from './pictureSets.ts'

const EMOJI = 200
const VIEWS = 12

const name = process.argv[2] ?? 'mobilenet_v2'
const { graph, size } = await graphOf(nsfw(name))

const kinds =
  name === 'mobilenet_v2' ? /^block_([6-9]|1\d)_(add|project_BN|expand_relu)$|^out_relu$/ : /^mixed\d+/
const names = layers(graph).map((layer) => layer.name)
const candidates = names.filter(
  // The projection of a block that ends in an addition is not the block's output.
  (layer) =>
    kinds.test(layer) &&
    !(layer.endsWith('_project_BN') && names.includes(layer.replace('project_BN', 'add'))),
)

const b = Builder.from(graph, { outputs: 'clear' })
for (const layer of candidates) {
  const value = b.value(resolveLayer(graph, layer))
  b.output(`${layer} mean`, op.flatten(op.globalAveragePool(value)))
  b.output(`${layer} max`, op.flatten(op.globalMaxPool(value)))
}
const session = await compile(b.build(), { workers: 0, threads: 2 })

interface Features {
  /** By tap and pooling, one normalised vector a picture. */
  readonly rows: Map<string, Float32Array[]>
}

async function embed(pictures: AsyncIterable<Buffer>): Promise<Features> {
  const rows = new Map<string, Float32Array[]>()
  for await (const bytes of pictures) {
    const area = size * size
    const data = new Float32Array(3 * area)
    for (let i = 0; i < area; i++) for (let c = 0; c < 3; c++) data[c * area + i] = bytes[3 * i + c]! / 255
    const outputs = await session.run({ pixel_values: { dtype: 'float32', shape: [1, 3, size, size], data } })
    for (const [key, { data: vector }] of Object.entries(outputs)) {
      const list = rows.get(key) ?? []
      rows.set(key, list)
      list.push(normalised(vector as Float32Array))
    }
  }
  return { rows }
}

async function* drawings(set: string): AsyncIterable<Buffer> {
  for (const emoji of sharedEmoji(EMOJI)) yield decoded(drawing(set, emoji, size), size)
}

/** Views of each photograph. Seeded: every run sees the same. */
async function* views(): AsyncIterable<Buffer> {
  let state = 1
  const random = (low: number, high: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return low + ((high - low) * state) / 2 ** 32
  }
  for (const photograph of await firstPhotographs())
    for (const view of await viewsOf(photograph, random, VIEWS)) yield decoded(view, size)
}

type Similarity = (i: number, j: number) => number

function similarity(rows: readonly Float32Array[], others: readonly Float32Array[]): Float32Array[] {
  return rows.map((row) =>
    Float32Array.from(others, (other) => row.reduce((sum, x, i) => sum + x * other[i]!, 0)),
  )
}

/** Share of rows whose most similar column is their own. */
function recallOfSame(count: number, similar: Similarity): number {
  let hits = 0
  for (let i = 0; i < count; i++) {
    let best = 0
    for (let j = 1; j < count; j++) if (similar(i, j) > similar(i, best)) best = j
    if (best === i) hits++
  }
  return hits / count
}

/** Each view looks for the others of its photograph. */
function retrieval(count: number, similar: Similarity): { precision: number; recall: number } {
  let precision = 0
  let recall = 0
  for (let i = 0; i < count; i++) {
    const order = Array.from({ length: count }, (_, j) => j)
      .filter((j) => j !== i)
      .sort((x, y) => similar(i, y) - similar(i, x))
    const hits = order.map((j) => Math.floor(j / VIEWS) === Math.floor(i / VIEWS))
    if (hits[0]) recall++
    let found = 0
    for (const [rank, hit] of hits.entries()) if (hit) precision += ++found / (rank + 1) / (VIEWS - 1)
  }
  return { precision: precision / count, recall: recall / count }
}

const sets: Features[] = []
for (const set of SETS) sets.push(await embed(drawings(set)))
const photographs = await embed(views())
await session.dispose()

const pairs = SETS.flatMap((_, x) => SETS.flatMap((__, y) => (x === y ? [] : [[x, y] as const])))
const keys = [...photographs.rows.keys()]
const matrices = new Map(
  keys.map((key) => {
    const rows = photographs.rows.get(key)!
    return [
      key,
      {
        drawings: pairs.map(([x, y]) => similarity(sets[x]!.rows.get(key)!, sets[y]!.rows.get(key)!)),
        photographs: similarity(rows, rows),
        dimensions: rows[0]!.length,
      },
    ]
  }),
)

interface Score {
  readonly taps: readonly string[]
  readonly dimensions: number
  readonly drawings: number
  readonly alike: number
  readonly precision: number
  readonly recall: number
}

function score(taps: readonly string[]): Score {
  const parts = taps.map((tap) => matrices.get(tap)!)
  const perPair = pairs.map((_, p) =>
    recallOfSame(EMOJI, (i, j) => parts.reduce((sum, part) => sum + part.drawings[p]![i]![j]!, 0)),
  )
  const count = parts[0]!.photographs.length
  return {
    taps,
    dimensions: parts.reduce((sum, part) => sum + part.dimensions, 0),
    drawings: perPair.reduce((sum, value) => sum + value, 0) / pairs.length,
    alike: (perPair[0]! + perPair[2]!) / 2,
    ...retrieval(count, (i, j) => parts.reduce((sum, part) => sum + part.photographs[i]![j]!, 0)),
  }
}

function print(title: string, scores: readonly Score[]) {
  console.log(
    `\n${title}\n\n| tap | numbers | drawings recall@1 | Noto and Twemoji | photographs mAP | photographs recall@1 |\n|---|---|---|---|---|---|`,
  )
  for (const { taps, dimensions, ...measures } of scores) {
    const numbers = [measures.drawings, measures.alike, measures.precision, measures.recall]
    console.log(`| ${taps.join(' + ')} | ${dimensions} | ${numbers.map((n) => n.toFixed(3)).join(' | ')} |`)
  }
}

const total = ({ drawings: d, precision }: Score) => d + precision
const best = (scores: readonly Score[], count: number) =>
  [...scores].sort((x, y) => total(y) - total(x)).slice(0, count)

const single = keys.map((key) => score([key]))
print('One layer', single)
// A model has one pooling for all its taps.
const means = keys.filter((key) => key.endsWith(' mean'))
const double = means.flatMap((x, i) => means.slice(i + 1).map((y) => score([x, y])))
print('Two layers, the best by the sum of drawings recall@1 and photographs mAP', best(double, 10))
const triple = best(double, 6).flatMap(({ taps }) =>
  means.filter((key) => !taps.includes(key)).map((key) => score([...taps, key].sort())),
)
const unique = [...new Map(triple.map((entry) => [entry.taps.join(), entry])).values()]
print('Three layers, from the best pairs', best(unique, 6))
