/** Emoji-CLIP: a network for pictures of emoji, trained towards frozen MiniLM's vectors of their words behind a learned projection. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeFileAtomic } from '../../../src/base/files/index.ts'
import { embedder, readDataset } from '../../../src/embed/index.ts'
import { op } from '../../../src/graph/index.ts'
import { writeSafetensors } from '../../../src/models/index.ts'
import { seeded } from '../../../src/nn/index.ts'
import { float32ToFloat16, type Tensor } from '../../../src/tensor/index.ts'
import {
  type AugmentationStep,
  clipLoss,
  freshNetwork,
  MAX_LOGIT_SCALE,
  type Network,
  type Objective,
  train,
} from '../../../src/train/index.ts'
import { type ClaimRun, RUNS } from '../shared/claim.ts'
import { progress } from '../shared/training.ts'
import { type Emoji, emojiList } from './pictures.ts'
import type { Drawing } from './rows.ts'

const TEXT_MODEL = 'all-MiniLM-L6-v2'
const TEXT_FEATURES = 384
/** Folder of the weights that come with Pipilo: those of claim 7's first seed. */
export const EMOJI_CLIP = fileURLToPath(new URL('../../../weights/emoji-clip', import.meta.url))
/** Numbers of a vector in the common space. */
const DIMENSIONS = 192

/** Texts of an emoji: its name, alone and in a phrase, its first tags, and all of these. */
export function captionsOf({ label, tags }: Emoji): string[] {
  const few = tags.slice(0, 6)
  return [label, ...few, few.length > 0 ? `${label}, ${few.join(', ')}` : label, `an emoji of ${label}`]
}

interface Captions {
  /** Rows of {@link TEXT_FEATURES} numbers: all captions of the first emoji, of the second, … */
  readonly data: Float32Array
  /** Place of each emoji's first caption, and how many it has. */
  readonly start: readonly number[]
  readonly count: readonly number[]
}

/** MiniLM's vectors of all captions of these emoji; made once and kept beside the runs. */
async function captionVectors(wanted: ReadonlySet<number>): Promise<Captions> {
  const texts = emojiList().map((emoji, index) => (wanted.has(index) ? captionsOf(emoji) : []))
  const count = texts.map(({ length }) => length)
  let next = 0
  const start = count.map((each) => {
    next += each
    return next - each
  })
  const key = createHash('sha256')
    .update(JSON.stringify([TEXT_MODEL, texts]))
    .digest('hex')
    .slice(0, 16)
  const file = join(RUNS, `captions-${key}.f32`)
  if (!existsSync(file)) {
    const e = await embedder(TEXT_MODEL)
    const { data } = await e.embed(texts.flat())
    await e.dispose()
    mkdirSync(RUNS, { recursive: true })
    await writeFileAtomic(file, new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  }
  return { data: new Float32Array(new Uint8Array(readFileSync(file)).buffer), start, count }
}

/** CLIP's loss between pictures and a caption of each, drawn anew in every step: in half of the cases the emoji's name. */
function objectiveOf(emojiOfRow: readonly number[], captions: Captions): Objective {
  const { data, start, count } = captions
  return {
    name: 'emoji-clip',
    leastBatch: 2,
    // An emoji by another artist would be a negative that is none.
    sampling: 'distinct',
    limits: { logit_scale: MAX_LOGIT_SCALE },
    build(scope) {
      const [pictures] = scope.network({ pixel_values: scope.pixels() }, ['logits'])
      const texts = scope.drawn('texts', 'float32', [scope.batch, TEXT_FEATURES], ({ seed, step, rows }) => {
        const random = seeded(seed, `captions ${step}`)
        const drawn = new Float32Array(rows.length * TEXT_FEATURES)
        for (const [place, row] of rows.entries()) {
          const emoji = emojiOfRow[row]!
          const isName = random.uniform() < 0.5
          const at = start[emoji]! + (isName ? 0 : Math.floor(random.uniform() * count[emoji]!))
          drawn.set(data.subarray(at * TEXT_FEATURES, (at + 1) * TEXT_FEATURES), place * TEXT_FEATURES)
        }
        return drawn
      })
      const projection = scope.parameters.weight('text_projection.weight', [DIMENSIONS, TEXT_FEATURES], {
        kind: 'normal',
        std: TEXT_FEATURES ** -0.5,
      })
      const logitScale = scope.parameters.weight('logit_scale', [], {
        kind: 'constant',
        value: Math.log(1 / 0.07),
      })
      const words = op.matMul(texts, op.transpose(projection, [1, 0]))
      return { loss: clipLoss(pictures!, words, { logitScale }), metrics: { scale: op.exp(logitScale) } }
    },
  }
}

/** Mild changes of place, colour and shape; some pictures are grey, some lack a part. */
const AUGMENTATION: readonly AugmentationStep[] = [
  { kind: 'affine', degrees: 15, translate: [0.1, 0.1], scale: [0.8, 1.15], shear: 8 },
  { kind: 'horizontalFlip', p: 0.3 },
  { kind: 'colorJitter', brightness: 0.4, contrast: 0.4, saturation: 0.5, hue: 0.08 },
  { kind: 'grayscale', p: 0.15 },
  { kind: 'erasing', p: 0.25, scale: [0.02, 0.15] },
]

/** Settings of {@link trainEmojiClip}. */
export interface EmojiClip {
  readonly drawings: readonly Drawing[]
  readonly epochs: number
  readonly batch: number
  readonly size: number
}

/**
 * Trains Emoji-CLIP and writes the pair as a folder that `embedder(folder, { modality: 'text-image' })` opens: the network for pictures in half
 * precision, the projection of MiniLM's vectors, and where MiniLM is found.
 */
export async function trainEmojiClip(
  { drawings, epochs, batch, size }: EmojiClip,
  { seed, folder, say }: Pick<ClaimRun, 'seed' | 'folder' | 'say'>,
): Promise<string> {
  const out = join(folder, 'emoji-clip')
  if (existsSync(join(out, 'config.json'))) return out
  const network = networkOf(size, seed)
  const data = await readDataset(
    drawings.map(({ image, index }) => ({ image, label: `${index}` })),
    { labels: 'names' },
  )
  const { weights } = await train({
    network,
    objective: objectiveOf(
      drawings.map(({ index }) => index),
      await captionVectors(new Set(drawings.map(({ index }) => index))),
    ),
    data,
    epochs,
    batch,
    seed,
    optimizer: { kind: 'adamw', lr: 2e-3, weightDecay: 0.05 },
    groups: [{ names: /\.bias$|bn\d*\.weight$|downsample\.1|logit_scale/, weightDecay: 0 }],
    schedule: (steps) => ({ kind: 'cosine', steps, warmup: Math.round(steps / 20) }),
    clip: 1,
    augment: AUGMENTATION,
    decodeSize: size,
    out: join(folder, 'training'),
    resume: true,
    onProgress: progress('emoji-clip', say),
  })
  await writeEmojiClip(out, network, weights)
  return out
}

export function networkOf(size: number, seed: number): Network {
  const half = [0.5, 0.5, 0.5]
  return freshNetwork('resnet8', {
    config: { num_classes: DIMENSIONS },
    size: [size, size],
    mean: half,
    std: half,
    seed,
  })
}

/** Writes the pair: the network in half precision, the projection, and where the model of texts is found. */
export async function writeEmojiClip(
  out: string,
  network: Network,
  weights: ReadonlyMap<string, Tensor>,
): Promise<void> {
  const own = ['text_projection.weight', 'logit_scale']
  const ofPictures = [...weights].filter(([name]) => !own.includes(name))
  await network.write!(join(out, 'image'), new Map(ofPictures.map(([name, each]) => [name, halved(each)])))
  const ofWords = [...weights].filter(([name]) => own.includes(name))
  const kept = ofWords.map(([name, each]) => [name, name === 'logit_scale' ? each : halved(each)] as const)
  await writeSafetensors(join(out, 'model.safetensors'), new Map(kept), new Map([['format', 'pt']]))
  // The configuration last: without one, the folder is no model yet.
  const config = { model_type: 'pipilo_pair', text: TEXT_MODEL, image: 'image' }
  await writeFileAtomic(join(out, 'config.json'), `${JSON.stringify(config, null, 2)}\n`)
}

function halved(tensor: Tensor): Tensor {
  if (tensor.dtype !== 'float32') return tensor
  return {
    dtype: 'float16',
    shape: tensor.shape,
    data: float32ToFloat16(tensor.data as Float32Array),
  } as Tensor
}
