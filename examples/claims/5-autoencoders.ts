/**
 * Claim 5: autoencoders reconstruct but mean little.
 *
 *     npx tsx examples/claims/5-autoencoders.ts [--quick] [--seeds 3] [--json]
 *
 * Seven encoders of 1.2 to 1.9 million weights see the emoji of four artists in 32 × 32 pixels equally often. Meaning: the groups (faces, food, …) of an
 * artist that none has seen, OpenMoji, by the five nearest among the others' pictures. Reconstruction: the error, of pixels from 0 to 1, × 1,000,
 * of pictures of 16 × 16 that a linear decoder makes of each encoder's vectors, the same for all. Beside them raw pixels, and SimCLR's accuracy as it
 * learns.
 */
import { claim, type Figures } from './shared/claim.ts'
import { meanError, reconstructionError } from './shared/decoder.ts'
import { pixels } from './shared/digits.ts'
import {
  bothVectors,
  curveOf,
  type EmojiData,
  ENCODER_EPOCHS,
  ENCODERS,
  emojiData,
  groupAccuracy,
  trainEncoder,
} from './shared/encoders.ts'
import { centred } from './shared/vectors.ts'

const MEANING = 'groups by five nearest, %'
const ERROR = 'reconstruction error × 1,000'
await claim({
  number: 5,
  statement: 'Autoencoders reconstruct but mean little',
  async measure(run) {
    const { quick, seed, say } = run
    const data = await emojiData(quick)
    const small = await smallPixels(quick)
    const figures: Record<string, Figures[string]> = {
      'raw 16 × 16 pixels': { [MEANING]: await groupAccuracy(data, small.known, small.held), [ERROR]: 0 },
      'raw pixels less their mean': {
        [MEANING]: await groupAccuracy(
          data,
          centred(small.known, small.known),
          centred(small.held, small.known),
        ),
        [ERROR]: 0,
      },
      'the mean picture': { [ERROR]: 1000 * meanError(small.known, small.held) },
    }
    const curve: Record<string, Figures[string]> = {}
    for (const name of ENCODERS) {
      const folder = await trainEncoder(name, data, quick ? ENCODER_EPOCHS.quick : ENCODER_EPOCHS.full, run)
      const { known, held } = await bothVectors(folder, data)
      const error = await reconstructionError(
        { vectors: known, pixels: small.known },
        { vectors: held, pixels: small.held },
        { seed, epochs: 20 },
      )
      figures[name] = { [MEANING]: await groupAccuracy(data, known, held), [ERROR]: 1000 * error }
      say(`${name}: ${JSON.stringify(figures[name])}`)
      if (name !== 'SimCLR') continue
      for (const { step, accuracy } of curveOf(folder))
        curve[`SimCLR after ${step} steps`] = { [MEANING]: accuracy }
    }
    return { ...figures, ...curve }
  },
  checks: {
    'the autoencoder reconstructs better than SimCLR, triplets and the classifier': (figures) =>
      ['SimCLR', 'triplet (labels)', 'supervised (labels)'].every(
        (other) => figures['autoencoder']![ERROR]! < figures[other]![ERROR]!,
      ),
    'SimCLR, which has no labels either, tells groups better than both autoencoders and MAE': (figures) =>
      ['autoencoder', 'denoising autoencoder', 'MAE'].every(
        (other) => figures['SimCLR']![MEANING]! > figures[other]![MEANING]!,
      ),
    'SimCLR tells groups better than raw pixels, with and without their mean': (figures) =>
      ['raw 16 × 16 pixels', 'raw pixels less their mean'].every(
        (other) => figures['SimCLR']![MEANING]! > figures[other]![MEANING]!,
      ),
  },
})

/** The same pictures in 16 × 16 pixels, as rows. */
async function smallPixels(quick: boolean): Promise<{ known: Float32Array[]; held: Float32Array[] }> {
  const { known, held }: EmojiData = await emojiData(quick, 16)
  return {
    known: known.map(({ image }) => pixels(image)),
    held: held.map(({ image }) => pixels(image)),
  }
}
