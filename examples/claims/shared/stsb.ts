// STS-B: pairs of sentences with a likeness from 0 to 5.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { spearman } from '../../../src/evaluate/index.ts'
import { cosineSimilarity } from '../../../src/tensor/index.ts'

/** A pair of STS-B. */
export interface ScoredPair {
  readonly sentence1: string
  readonly sentence2: string
  readonly score: number
}

/** Path of a part's pairs; STSB names another folder. */
export function stsFile(part: 'train' | 'dev'): string {
  const beside = fileURLToPath(new URL('../../../../shared/data/stsb', import.meta.url))
  return join(process.env.STSB ?? beside, `sts-${part}.csv`)
}

/** The pairs of a part, from the shared data beside the repository. */
export function stsPairs(part: 'train' | 'dev'): ScoredPair[] {
  return readFileSync(stsFile(part), 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, , , , score, sentence1, sentence2] = line.split('\t').map((cell) => cell.trim())
      return sentence2 === undefined ? [] : [{ sentence1: sentence1!, sentence2, score: Number(score) }]
    })
}

/** The texts of pairs, both of one after the other. */
export const stsTexts = (pairs: readonly ScoredPair[]): string[] =>
  pairs.flatMap(({ sentence1, sentence2 }) => [sentence1, sentence2])

/**
 * Spearman's correlation, × 100, of cosines with the scores of pairs.
 *
 * @param vectors of {@link stsTexts}
 */
export function stsCorrelation(pairs: readonly ScoredPair[], vectors: readonly Float32Array[]): number {
  const cosines = pairs.map((_, i) => cosineSimilarity(vectors[2 * i]!, vectors[2 * i + 1]!))
  const scores = pairs.map(({ score }) => score)
  return 100 * spearman(cosines, scores)
}
