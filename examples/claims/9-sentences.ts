/**
 * Claim 9: sentences become better by fine-tuning MiniLM on STS-B's training pairs.
 *
 *     npx tsx examples/claims/9-sentences.ts [--quick] [--seeds 3] [--json]
 *
 * Needs `../shared/data/stsb` beside the repository, or the folder that STSB names. Spearman's correlation, × 100, of cosines with the scores of the dev set, before and after.
 */
import { existsSync } from 'node:fs'
import { readDataset } from '../../src/embed/index.ts'
import { claim, type Figures, leaveOut } from './shared/claim.ts'
import { type ScoredPair, stsCorrelation, stsFile, stsPairs, stsTexts } from './shared/stsb.ts'
import { trainedBy } from './shared/training.ts'
import { vectorsOf } from './shared/vectors.ts'

const SPEARMAN = 'Spearman × 100'
const MODEL = 'all-MiniLM-L6-v2'

if (!existsSync(stsFile('train'))) leaveOut(9, `${stsFile('train')} is not there`)
await claim({
  number: 9,
  statement: 'MiniLM gets better at sentences by fine-tuning on STS-B',
  decimals: 2,
  async measure(run) {
    const { quick } = run
    const pairs = stsPairs('train')
    const data = await readDataset(quick ? pairs.slice(0, 160) : pairs)
    const dev = quick ? stsPairs('dev').slice(0, 150) : stsPairs('dev')
    const path = await trainedBy('sentences', 'minilm', run, {
      data,
      epochs: quick ? 1 : 2,
      scoreScale: 5,
    })
    const figures: Record<string, Figures[string]> = {
      before: { [SPEARMAN]: await correlation(MODEL, dev) },
      after: { [SPEARMAN]: await correlation(path, dev) },
    }
    return figures
  },
  checks: {
    'the correlation is higher after fine-tuning': (figures) =>
      figures['after']![SPEARMAN]! > figures['before']![SPEARMAN]!,
  },
})

async function correlation(model: string, pairs: readonly ScoredPair[]): Promise<number> {
  return stsCorrelation(pairs, await vectorsOf(model, stsTexts(pairs)))
}
