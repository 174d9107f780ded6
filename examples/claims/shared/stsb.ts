// STS-B: pairs of sentences with a likeness from 0 to 5.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

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
