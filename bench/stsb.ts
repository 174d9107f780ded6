// STS-B: pairs of sentences with a likeness from 0 to 5, and the measure on them.
import { readFileSync } from 'node:fs'

/** A pair of STS-B. */
export interface ScoredPair {
  readonly sentence1: string
  readonly sentence2: string
  readonly score: number
}

/** The pairs of a part, from the shared data beside the repository. */
export function stsPairs(part: 'train' | 'dev'): ScoredPair[] {
  const file = new URL(`../../shared/data/stsb/sts-${part}.csv`, import.meta.url)
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, , , , score, sentence1, sentence2] = line.split('\t').map((cell) => cell.trim())
      return sentence2 === undefined ? [] : [{ sentence1: sentence1!, sentence2, score: Number(score) }]
    })
}

/** Spearman's correlation of two lists. */
export function spearman(a: readonly number[], b: readonly number[]): number {
  const [x, y] = [ranks(a), ranks(b)]
  const mean = (x.length - 1) / 2
  const sum = (p: readonly number[], q: readonly number[]) =>
    p.reduce((s, v, i) => s + (v - mean) * (q[i]! - mean), 0)
  return sum(x, y) / Math.sqrt(sum(x, x) * sum(y, y))
}

/** Ranks from 0, those of equals averaged. */
function ranks(numbers: readonly number[]): number[] {
  const order = [...numbers.keys()].sort((a, b) => numbers[a]! - numbers[b]!)
  const result = new Array<number>(numbers.length)
  for (let start = 0; start < order.length; ) {
    let end = start
    while (end < order.length && numbers[order[end]!] === numbers[order[start]!]) end++
    for (let i = start; i < end; i++) result[order[i]!] = (start + end - 1) / 2
    start = end
  }
  return result
}
