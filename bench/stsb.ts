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

/** The pairs of a part, from the folder that STSB names, or the shared data beside the repository. */
export function stsPairs(part: 'train' | 'dev'): ScoredPair[] {
  const folder = process.env['STSB'] ?? fileURLToPath(new URL('../../shared/data/stsb', import.meta.url))
  const file = join(folder, `sts-${part}.csv`)
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, , , , score, sentence1, sentence2] = line.split('\t').map((cell) => cell.trim())
      return sentence2 === undefined ? [] : [{ sentence1: sentence1!, sentence2, score: Number(score) }]
    })
}
