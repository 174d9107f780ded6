// Finds the pairs of vectors that are most alike.
import { breathe, checkCount, is, type OptionTable } from '../../base/index.ts'
import type { Matrix, Vector } from '../../tensor/index.ts'
import { nearest } from './products.ts'
import { type Score, scores, vectorSet } from './vectorSet.ts'

/** Options of {@link paraphraseMining}. */
export interface ParaphraseMiningOptions {
  /** Others that are looked at for each. Default 100. */
  readonly k?: number
  /** Pairs that are returned at most. Default 500,000. */
  readonly maxPairs?: number
  /** Default `cosine`. */
  readonly score?: Score
  readonly signal?: AbortSignal
}

/** Types of {@link ParaphraseMiningOptions}. */
export const paraphraseMiningOptions: OptionTable<ParaphraseMiningOptions> = {
  k: is.count(1),
  maxPairs: is.count(1),
  score: is.oneOf(scores),
  signal: is.abortSignal,
}

/** Two vectors that are alike: `a` < `b` are their indices. */
export interface AlikePair {
  readonly a: number
  readonly b: number
  readonly score: number
}

/** See `paraphraseMining` in onDemand.ts. */
export async function paraphraseMining(
  vectors: readonly Vector[] | Matrix,
  { k = 100, maxPairs = 500_000, score = 'cosine', signal }: ParaphraseMiningOptions = {},
): Promise<AlikePair[]> {
  checkCount('k', k, 1)
  checkCount('maxPairs', maxPairs, 1)
  const set = vectorSet(vectors, score, 'vectors')
  const best = new BestPairs(maxPairs, set.given)
  // One more: each finds itself.
  for await (const { first, rows, count, indices, scores } of nearest(set, set, k + 1, signal)) {
    for (let row = 0; row < rows; row++) {
      await breathe()
      const own = first + row
      let others = 0
      for (let at = row * count; at < (row + 1) * count && others < k; at++) {
        if (indices[at] === own) continue
        others++
        best.add(set.origin[own]!, set.origin[indices[at]!]!, scores[at]!)
      }
    }
  }
  return best.sorted()
}

/** The best pairs so far: at most twice as many as are wanted, so that memory does not grow with the vectors. */
class BestPairs {
  readonly #most: number
  readonly #vectors: number
  #pairs: AlikePair[] = []
  /** Pairs that are held: the two of a pair mostly find each other. */
  #held = new Set<number>()
  /** Score of the last that was kept when the list was cut. */
  #least = Number.NEGATIVE_INFINITY

  constructor(most: number, vectors: number) {
    this.#most = most
    this.#vectors = vectors
  }

  add(one: number, other: number, score: number): void {
    if (score < this.#least) return
    const [a, b] = one < other ? [one, other] : [other, one]
    const key = a * this.#vectors + b
    if (this.#held.has(key)) return
    this.#held.add(key)
    this.#pairs.push({ a, b, score })
    if (this.#pairs.length >= 2 * this.#most) this.#cut()
  }

  sorted(): AlikePair[] {
    this.#cut()
    return this.#pairs
  }

  #cut(): void {
    this.#pairs.sort((x, y) => y.score - x.score || x.a - y.a || x.b - y.b)
    if (this.#pairs.length <= this.#most) return
    this.#pairs.length = this.#most
    this.#least = this.#pairs.at(-1)!.score
    this.#held = new Set(this.#pairs.map(({ a, b }) => a * this.#vectors + b))
  }
}
