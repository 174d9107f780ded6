/** Recipes for texts: sentence embeddings from scored or labelled pairs, ranked pairs, triplets, or single texts. */
import { PipiloError } from '../../base/index.ts'
import type { Dataset } from '../../embed/index.ts'
import { labelledPairs, rankedPairs, scoredPairs, singleTexts, textTriplets } from '../methods/sentences.ts'
import { openedNetwork } from '../networks.ts'
import type { Objective } from '../objective.ts'
import type { TrainingRecipe } from './recipe.ts'
import { warmedCosine } from './settings.ts'

export const sentences: TrainingRecipe = {
  name: 'sentences',
  summary: 'Fine-tunes a model of sentences; what the data has decides how',
  needs:
    'a CSV or JSON-lines file with sentence1,sentence2,score (or label: 0, 1), or anchor,positive[,negative], or text',
  columns: [],
  losses: ['ranking', 'triplet'],
  defaults: { epochs: 2, batch: 32, lr: 2e-5, loraLr: 5e-4, model: 'all-MiniLM-L6-v2', scoreScale: 1 },
  prepare: async ({ data, lr, seed, lora, loss, scoreScale, model = 'all-MiniLM-L6-v2' }) => ({
    network: await openedNetwork(model, {
      maxLength: 128,
      ...(lora !== undefined && {
        lora: { targets: /query|value/, rank: lora, alpha: 2 * lora, dropout: 0.1, seed },
      }),
    }),
    objective: await objectiveFor(data, loss, scoreScale),
    optimizer: { kind: 'adamw', lr, weightDecay: 0.01 },
    schedule: warmedCosine,
    // LoRA trains matrices alone.
    ...(lora === undefined && { groups: [{ names: /\.bias$|LayerNorm\.weight$/, weightDecay: 0 }] }),
    clip: 1,
  }),
}

async function objectiveFor(data: Dataset, loss: string | undefined, scoreScale = 1): Promise<Objective> {
  const has = (...columns: string[]) => columns.every((column) => data.columns.some((one) => one === column))
  if (loss !== undefined) return chosen(data, loss, has)
  if (has('sentence1', 'sentence2', 'score'))
    return scoredPairs({ scale: await checkedScale(data, scoreScale) })
  if (has('sentence1', 'sentence2', 'label')) return labelledPairs()
  if (has('anchor', 'positive')) return rankedPairs({ negatives: has('negative') })
  if (has('text')) return singleTexts()
  throw new PipiloError('INPUT_INVALID', `${data.name} has the columns ${data.columns.join(', ')}.`, {
    input: data.name,
    hint: 'Sentences are trained from sentence1,sentence2,score, from sentence1,sentence2,label, from anchor,positive, or from text.',
  })
}

/** The objective of a loss that the user has named; all of them are of an anchor and a positive. */
function chosen(data: Dataset, loss: string, has: (...columns: string[]) => boolean): Objective {
  const columns = loss === 'triplet' ? ['anchor', 'positive', 'negative'] : ['anchor', 'positive']
  if (!has(...columns)) {
    throw new PipiloError('INPUT_INVALID', `${data.name} has the columns ${data.columns.join(', ')}.`, {
      input: data.name,
      hint: `The loss ${loss} is of ${columns.join(',')}.`,
    })
  }
  return loss === 'triplet' ? textTriplets() : rankedPairs({ negatives: has('negative') })
}

/**
 * The scale, if no score lies beyond it: one that is guessed from the data would teach other targets for other parts of it.
 *
 * @throws `INPUT_INVALID`
 */
async function checkedScale(data: Dataset, scale: number): Promise<number> {
  let [least, largest] = [0, 0]
  for await (const { score = 0 } of data) {
    least = Math.min(least, score)
    largest = Math.max(largest, score)
  }
  if (least >= 0 && largest <= scale) return scale
  throw new PipiloError(
    'INPUT_INVALID',
    `The scores of ${data.name} go from ${least} to ${largest}; they have to lie between 0 and ${scale}.`,
    { input: data.name, hint: 'Say the score of the most similar pair: --score-scale 5, scoreScale: 5.' },
  )
}
