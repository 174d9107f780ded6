/**
 * Claim 4: wrong labels hurt supervised embeddings.
 *
 *     npx tsx examples/claims/4-wrong-labels.ts [--quick] [--seeds 3] [--json]
 *
 * The emoji of four artists by group, of which 0 to 80 % have their labels shuffled among each other; a small residual network learns them. SimCLR trains the
 * same network without labels, for the same number of epochs. Both are measured by the true groups of an artist that neither has seen, OpenMoji: the five
 * nearest among the other artists' pictures, with their true groups.
 */
import { claim, type Figures } from './shared/claim.ts'
import { shuffledOrder } from './shared/decoder.ts'
import { bothVectors, emojiData, groupAccuracy, labelledPictures, trainEncoder } from './shared/encoders.ts'
import { trainedBy } from './shared/training.ts'

const SHARES = [0, 0.2, 0.4, 0.6, 0.8]
const ACCURACY = 'groups by five nearest, %'
const rowOf = (share: number) => `supervised, ${100 * share} % of labels shuffled`

await claim({
  number: 4,
  statement: 'Wrong labels hurt supervised embeddings',
  async measure(run) {
    const { quick, seed, say } = run
    const data = await emojiData(quick)
    const epochs = quick ? 1 : 15
    const figures: Record<string, Figures[string]> = {}
    const measured = async (folder: string) => {
      const { known, held } = await bothVectors(folder, data)
      return { [ACCURACY]: await groupAccuracy(data, known, held) }
    }
    for (const share of quick ? [0, 0.8] : SHARES) {
      const labels = shuffledLabels(data.groups.known, share, seed)
      const folder = await trainedBy('resnet', `shuffled-${100 * share}`, run, {
        data: await labelledPictures(data.known, labels),
        epochs,
        batch: quick ? 64 : 128,
        size: 32,
        model: 'resnet8',
      })
      figures[rowOf(share)] = await measured(folder)
      say(`${rowOf(share)}: ${figures[rowOf(share)]![ACCURACY]!.toFixed(1)}`)
    }
    figures['SimCLR, without labels'] = await measured(await trainEncoder('SimCLR', data, epochs, run))
    return figures
  },
  checks: {
    'accuracy with 80 % of labels shuffled is lower than with none': (figures) =>
      figures[rowOf(0.8)]![ACCURACY]! < figures[rowOf(0)]![ACCURACY]!,
    'accuracy falls with every step from 0 to 80 %': (figures) => {
      const values = SHARES.flatMap((share) => figures[rowOf(share)]?.[ACCURACY] ?? [])
      return values.every((value, i) => i === 0 || value < values[i - 1]!)
    },
    'SimCLR is better than supervision with 80 % of labels shuffled': (figures) =>
      figures['SimCLR, without labels']![ACCURACY]! > figures[rowOf(0.8)]![ACCURACY]!,
  },
})

/** Labels of which a share has changed places among each other. */
function shuffledLabels(labels: readonly number[], share: number, seed: number): number[] {
  const chosen = shuffledOrder(labels.length, seed, 'rows').slice(0, Math.round(share * labels.length))
  const order = shuffledOrder(chosen.length, seed, 'places')
  const changed = [...labels]
  for (const [i, row] of chosen.entries()) changed[row] = labels[chosen[order[i]!]!]!
  return changed
}
