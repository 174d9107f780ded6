/**
 * Claim 8: counting is hard.
 *
 *     npx tsx examples/claims/8-counting.ts [--quick] [--seeds 3] [--json]
 *
 * Canvases with 1 to 8 emoji. A linear probe reads their number from the vectors of every model for colour pictures of these claims (the encoders of claim 5
 * are trained first where they are not there), beside a small residual network that is trained to count on the same canvases. Emoji of the held-out canvases
 * occur on no other.
 */
import { join } from 'node:path'
import { readDataset } from '../../src/embed/index.ts'
import { classificationMeasures, linearProbe } from '../../src/evaluate/index.ts'
import type { EmbedderOptions } from '../../src/index.ts'
import { EMOJI_CLIP } from './emoji/clip.ts'
import { type Canvases, canvases, MOST, SIDE } from './shared/canvas.ts'
import { type ClaimRun, claim, type Figures } from './shared/claim.ts'
import { pixels } from './shared/digits.ts'
import { ENCODER_EPOCHS, ENCODERS, emojiData, trainEncoder } from './shared/encoders.ts'
import { trainedBy } from './shared/training.ts'
import { statistics, vectorsOf } from './shared/vectors.ts'

const EXACT = 'right, %'
const OFF = 'off by, mean'
const TRAINED = 'trained to count'

type Sides = Readonly<Record<'known' | 'held', Canvases>>

await claim({
  number: 8,
  statement: 'Counting is hard',
  async measure(run) {
    const { quick, seed, say } = run
    const sides = {
      known: await canvases(quick ? 160 : 4000, 'known', run),
      held: await canvases(quick ? 80 : 1000, 'held', run),
    }
    const figures: Record<string, Figures[string]> = { chance: chance() }
    figures['raw 32 × 32 pixels'] = await probed(sides, async (images) => images.map(smaller), seed)
    for (const [name, [model, options]] of Object.entries(await models(run))) {
      figures[name] = await probed(sides, (images) => vectorsOf(model, images, options), seed)
      say(`${name}: ${JSON.stringify(figures[name])}`)
    }
    figures[TRAINED] = await counter(run, sides)
    return figures
  },
  checks: {
    'no linear probe counts half of the canvases right': (figures) =>
      probesOf(figures).every((row) => row[EXACT]! < 50),
    'a network that is trained to count is right more often than every probe': (figures) =>
      probesOf(figures).every((row) => row[EXACT]! < figures[TRAINED]![EXACT]!),
  },
})

function probesOf(figures: Figures): Figures[string][] {
  return Object.entries(figures).flatMap(([name, row]) =>
    name === TRAINED || name === 'chance' ? [] : [row],
  )
}

/** All models, with the places of their vectors. */
async function models(run: ClaimRun): Promise<Record<string, readonly [string, EmbedderOptions]>> {
  const { quick, seed } = run
  const encoders: Record<string, readonly [string, EmbedderOptions]> = {}
  const data = await emojiData(quick)
  const folder = join(run.folder, '..', '..', quick ? '5-quick' : '5', `seed-${seed}`)
  for (const name of quick ? ENCODERS.filter((one) => one === 'SimCLR') : ENCODERS) {
    const epochs = quick ? ENCODER_EPOCHS.quick : ENCODER_EPOCHS.full
    encoders[name] = [await trainEncoder(name, data, epochs, { ...run, folder }), {}]
  }
  return {
    'MobileNetV2, early (block 3)': ['mobilenet-v2', { tap: 'block_3_project_BN', pool: 'mean' }],
    'MobileNetV2, default (block 11)': ['mobilenet-v2', {}],
    'MobileNetV2, last (out_relu)': ['mobilenet-v2', { tap: 'out_relu', pool: 'mean' }],
    'Emoji-CLIP': [join(EMOJI_CLIP, 'image'), { tap: 'logits' }],
    ...encoders,
  }
}

/** A linear probe's counting. */
async function probed(
  { known, held }: Sides,
  embed: (images: Canvases['images']) => Promise<Float32Array[]>,
  seed: number,
): Promise<Figures[string]> {
  const [vectors, asked] = [await embed(known.images), await embed(held.images)]
  const scaled = standardised(vectors, asked)
  const probe = await linearProbe(
    { vectors: scaled.known, labels: known.labels },
    { seed, strengths: [0.001, 0.01, 0.1, 1], iterations: 200 },
  )
  return counted(probe.predict(scaled.held), held.labels)
}

/** A network that is trained to count: its head's answers. */
async function counter(run: ClaimRun, { known, held }: Sides): Promise<Figures[string]> {
  const data = await readDataset(known.images.map((image, i) => ({ image, label: known.labels[i] })))
  const model = await trainedBy('resnet', 'counter', run, {
    data,
    epochs: run.quick ? 2 : 20,
    size: 64,
    model: 'resnet8',
  })
  const logits = await vectorsOf(model, held.images, { tap: 'logits', normalize: false })
  return counted(
    logits.map((row) => row.indexOf(Math.max(...row))),
    held.labels,
  )
}

function counted(predictions: ArrayLike<number>, labels: readonly number[]): Figures[string] {
  const off = labels.reduce((sum, label, i) => sum + Math.abs(predictions[i]! - label), 0)
  return {
    [EXACT]: 100 * classificationMeasures(predictions, labels).accuracy,
    [OFF]: off / labels.length,
  }
}

/** Figures of guessing the same middle number each time. */
function chance(): Figures[string] {
  const numbers = Array.from({ length: MOST }, (_, i) => i)
  const middle = Math.floor((MOST - 1) / 2)
  const off = numbers.reduce((sum, number) => sum + Math.abs(number - middle), 0)
  return { [EXACT]: 100 / MOST, [OFF]: off / MOST }
}

/** A canvas in 32 × 32 pixels, each the mean of nine. */
function smaller(image: Canvases['images'][number]): Float32Array {
  const whole = pixels(image)
  const side = SIDE / 3
  return Float32Array.from({ length: side * side * 3 }, (_, i) => {
    const [row, column, channel] = [Math.floor(i / 3 / side), Math.floor(i / 3) % side, i % 3]
    let sum = 0
    for (let y = 0; y < 3; y++)
      for (let x = 0; x < 3; x++) sum += whole[((3 * row + y) * SIDE + 3 * column + x) * 3 + channel]!
    return sum / 9
  })
}

/** Each number less its mean, over its deviation, as probes are used to have them. */
function standardised(known: readonly Float32Array[], held: readonly Float32Array[]) {
  const { mean, std } = statistics(known)
  const scale = (row: Float32Array) => row.map((value, i) => (value - mean[i]!) / std[i]!)
  return { known: known.map(scale), held: held.map(scale) }
}
