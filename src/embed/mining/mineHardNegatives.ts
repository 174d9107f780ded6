// Adds hard negatives to pairs of texts.
import { is, type OptionTable, PipiloError } from '../../base/index.ts'
import { promptType } from '../checkOptions.ts'
import type { Embedder, Prompt } from '../types.ts'
import { hardNegatives, hardNegativesOptions, type NegativeOptions } from './hardNegatives.ts'

/** Options of {@link mineHardNegatives}. */
export interface MineHardNegativesOptions extends NegativeOptions {
  /** Texts, each with its positive at the same place in `positives`; one with several positives comes several times. */
  readonly anchors: readonly string[]
  readonly positives: readonly string[]
  /** Further texts to choose negatives from. Default: the positives alone. */
  readonly corpus?: readonly string[]
  readonly embedder: Pick<Embedder, 'embed' | 'card'>
  /** Prompts of anchors and of all others. Default: the model's `query` and `document` where it has them. */
  readonly prompts?: { readonly anchor?: Prompt; readonly corpus?: Prompt }
}

const texts = is.listOf(is.text)

/** Types of {@link MineHardNegativesOptions}. */
export const mineHardNegativesOptions: OptionTable<MineHardNegativesOptions> = {
  ...hardNegativesOptions,
  anchors: texts,
  positives: texts,
  corpus: texts,
  embedder: is.instance('an embedder', 'embed', 'card'),
  prompts: is.parts<NonNullable<MineHardNegativesOptions['prompts']>>({
    anchor: promptType,
    corpus: promptType,
  }),
}

/** An anchor, a positive and a negative, with the scores of both. */
export interface Triplet {
  readonly anchor: string
  readonly positive: string
  readonly negative: string
  readonly scores: readonly [positive: number, negative: number]
}

/** Triplets of {@link mineHardNegatives}. */
export interface MinedNegatives {
  readonly triplets: Triplet[]
  /** Triplets that would have been, had there been enough negatives within the conditions. */
  readonly missing: number
}

/** See `mineHardNegatives` in onDemand.ts. */
export async function mineHardNegatives(options: MineHardNegativesOptions): Promise<MinedNegatives> {
  const { anchors, positives, corpus = [], embedder, prompts = {}, count = 3 } = options
  if (anchors.length !== positives.length || anchors.length === 0) {
    throw new PipiloError(
      'INPUT_INVALID',
      `There are ${anchors.length} anchors and ${positives.length} positives.`,
      {
        input: 'positives',
        hint: 'Give as many of one as of the other, at least one.',
      },
    )
  }
  const queries = [...new Set(anchors)]
  const texts = [...new Set([...corpus, ...positives])]
  const places = new Map(texts.map((text, i) => [text, i]))
  const of = new Map<string, number[]>(queries.map((query) => [query, []]))
  for (const [i, anchor] of anchors.entries()) of.get(anchor)!.push(places.get(positives[i]!)!)
  const named = (name: string) => (embedder.card.text?.prompts?.[name] === undefined ? undefined : name)
  const embed = async (inputs: readonly string[], prompt: Prompt | undefined) => {
    const { signal } = options
    return (
      await embedder.embed(inputs, { ...(prompt !== undefined && { prompt }), ...(signal && { signal }) })
    ).vectors
  }
  const mined = await hardNegatives(
    {
      anchors: await embed(queries, prompts.anchor ?? named('query')),
      corpus: await embed(texts, prompts.corpus ?? named('document')),
      positives: [...of.values()],
    },
    options,
  )
  const triplets: Triplet[] = []
  let wanted = 0
  for (const [q, { positiveScores, negatives }] of mined.entries()) {
    const own = of.get(queries[q]!)!
    for (const place of new Set(own)) {
      wanted += count
      const positiveScore = positiveScores[own.indexOf(place)]!
      for (const { index, score } of negatives) {
        const scores = [positiveScore, score] as const
        triplets.push({ anchor: queries[q]!, positive: texts[place]!, negative: texts[index]!, scores })
      }
    }
  }
  return { triplets, missing: wanted - triplets.length }
}
