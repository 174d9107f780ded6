/** Encoders of emoji by seven ways of training: the same pictures, about the same number of weights, the same number of epochs. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Dataset, readDataset } from '../../../src/embed/index.ts'
import { freshNetwork, type Network, type TrainOptions, trainingRecipe } from '../../../src/train/index.ts'
import { ARTISTS } from '../emoji/pictures.ts'
import { type Drawing, drawings, isQuick } from '../emoji/rows.ts'
import type { ClaimRun } from './claim.ts'
import { trainedBy } from './training.ts'
import { indices, neighbourAccuracy, vectorsOf } from './vectors.ts'

/** Kept from all training; CC-BY-SA. */
export const UNSEEN = 'openmoji'
const SIZE = 32

/** Pictures of the artists that are trained on, of the artist that is not, and the group of each. */
export interface EmojiData {
  readonly known: readonly Drawing[]
  readonly held: readonly Drawing[]
  readonly groups: Readonly<Record<'known' | 'held', readonly number[]>>
}

/** All pictures at `size`; `quick`: every sixteenth emoji, two artists beside the unseen one. */
export async function emojiData(quick: boolean, size = SIZE): Promise<EmojiData> {
  const artists = ARTISTS.filter((artist) => artist !== UNSEEN)
  const isWanted = quick ? isQuick : undefined
  const known = await drawings(quick ? artists.slice(0, 2) : artists, size, isWanted)
  const held = await drawings([UNSEEN], size, isWanted)
  const all = indices([...known, ...held].map(({ emoji }) => emoji.group))
  return { known, held, groups: { known: all.slice(0, known.length), held: all.slice(known.length) } }
}

/** The pictures as a data set labelled by group, or by other labels. */
export function labelledPictures(pictures: readonly Drawing[], labels: readonly number[]): Promise<Dataset> {
  return readDataset(pictures.map(({ image }, i) => ({ image, label: labels[i] })))
}

/** Accuracy of the five nearest, averaged over groups, in percent: the unseen artist's pictures among all others. */
export async function groupAccuracy(
  { groups }: EmojiData,
  known: readonly Float32Array[],
  held: readonly Float32Array[],
): Promise<number> {
  return neighbourAccuracy({ vectors: known, labels: groups.known }, { vectors: held, labels: groups.held })
}

/** Vectors of both sides by a model. */
export async function bothVectors(
  model: string,
  { known, held }: EmojiData,
): Promise<{ known: Float32Array[]; held: Float32Array[] }> {
  const vectors = await vectorsOf(
    model,
    [...known, ...held].map(({ image }) => image),
  )
  return { known: vectors.slice(0, known.length), held: vectors.slice(known.length) }
}

/** Ways of training by their names in tables. */
export const ENCODERS = [
  'autoencoder',
  'denoising autoencoder',
  'MAE',
  'SimCLR',
  'data2vec',
  'triplet (labels)',
  'supervised (labels)',
] as const

/** Epochs of each in claim 5: as many as all seven have time for in an hour on two older cores. */
export const ENCODER_EPOCHS = { quick: 1, full: 15 }

export type EncoderName = (typeof ENCODERS)[number]

/** Trains an encoder, or finds it trained. @returns its folder */
export async function trainEncoder(
  name: EncoderName,
  data: EmojiData,
  epochs: number,
  run: ClaimRun,
): Promise<string> {
  const { seed, quick } = run
  const labelled = await labelledPictures(data.known, data.groups.known)
  const size = [SIZE, SIZE] as const
  const batch = quick ? 64 : 128
  const usual = { data: labelled, epochs, batch, size: SIZE }
  const folder = name.replaceAll(/\W+/g, '-')
  const autoencoder = freshNetwork('conv_autoencoder', {
    config: { channels: [64, 128, 256], latent: 256 },
    size,
    seed,
  })
  switch (name) {
    case 'autoencoder':
      return trainedBy('autoencoder', folder, run, { ...usual, change: { network: autoencoder } })
    case 'denoising autoencoder':
      return trainedBy('denoising-autoencoder', folder, run, { ...usual, change: { network: autoencoder } })
    case 'MAE':
      return trainedBy('mae', folder, run, usual)
    case 'SimCLR': {
      const { network } = await trainingRecipe('simclr').prepare({
        ...trainingRecipe('simclr').defaults,
        ...usual,
        seed,
      })
      return trainedBy('simclr', folder, run, {
        ...usual,
        change: { network, metrics: curve(network, data, epochs) },
      })
    }
    case 'data2vec':
      return trainedBy('data2vec', folder, run, usual)
    case 'triplet (labels)':
      return trainedBy('triplet', folder, run, { ...usual, model: 'resnet8' })
    case 'supervised (labels)':
      return trainedBy('resnet', folder, run, { ...usual, model: 'resnet8' })
  }
}

const CURVE = 'group_accuracy'
/** Points of the curve. */
const POINTS = 6

/** The accuracy of the five nearest at some epochs of a run. */
function curve(network: Network, data: EmojiData, epochs: number): NonNullable<TrainOptions['metrics']> {
  const step = Math.max(1, Math.round(epochs / POINTS))
  return {
    async compute({ epoch, weights }) {
      if (epoch % step !== 0) return {}
      const folder = mkdtempSync(join(tmpdir(), 'pipilo-curve-'))
      try {
        await network.write!(folder, await ownWeights(network, await weights()))
        const { known, held } = await bothVectors(folder, data)
        return { [CURVE]: await groupAccuracy(data, known, held) }
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    },
  }
}

/** Weights of the network without those of the objective's heads. */
async function ownWeights<T>(network: Network, weights: ReadonlyMap<string, T>): Promise<Map<string, T>> {
  const { parametersOf } = await import('../../../src/graph/index.ts')
  const own = new Set(parametersOf(network.inference).map(({ name }) => name))
  return new Map([...weights].filter(([name]) => own.has(name)))
}

/** The points of SimCLR's curve, by its steps, from its log. */
export function curveOf(folder: string): { readonly step: number; readonly accuracy: number }[] {
  return readFileSync(join(folder, 'log.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .flatMap((line) => {
      const { step, [CURVE]: accuracy } = JSON.parse(line) as Record<string, number>
      return accuracy === undefined ? [] : [{ step: step!, accuracy }]
    })
}
