// The best of many scores, without sorting them all.
import type { Neighbor } from '../../tensor/index.ts'

/** Keeps the highest scores, best first; of equal ones the lower index. */
export class Best {
  readonly #most: number
  readonly #indices: number[] = []
  readonly #scores: number[] = []

  constructor(most: number) {
    this.#most = most
  }

  add(index: number, score: number): void {
    const [indices, scores] = [this.#indices, this.#scores]
    const last = scores.length - 1
    const isFull = scores.length === this.#most
    if (isFull && !isBefore(score, index, scores[last]!, indices[last]!)) return
    let [low, high] = [0, scores.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (isBefore(score, index, scores[middle]!, indices[middle]!)) high = middle
      else low = middle + 1
    }
    if (isFull) {
      indices.pop()
      scores.pop()
    }
    indices.splice(low, 0, index)
    scores.splice(low, 0, score)
  }

  sorted(): Neighbor[] {
    return this.#indices.map((index, at) => ({ index, score: this.#scores[at]! }))
  }
}

const isBefore = (score: number, index: number, otherScore: number, otherIndex: number): boolean =>
  score > otherScore || (score === otherScore && index < otherIndex)
