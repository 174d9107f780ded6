// The layout of UMAP: edges draw places together, random others push them apart.
import { breathe, throwIfAborted } from '../../base/index.ts'
import { seeded } from '../../nn/index.ts'
import type { Curve } from './curve.ts'

/** Edges from the places that move to those that they are drawn to. */
export interface Edges {
  readonly heads: Int32Array
  readonly tails: Int32Array
  /** From 0 to 1: an edge of weight 1 draws in every epoch. */
  readonly weights: Float64Array
}

export interface LayoutOptions {
  readonly dimensions: number
  readonly epochs: number
  readonly curve: Curve
  readonly learningRate: number
  /** Others that push at each draw. */
  readonly negatives: number
  readonly repulsion: number
  readonly seed: number
  readonly signal?: AbortSignal
  readonly onEpoch?: (done: number) => void
}

/** Largest step along an axis, before the learning rate. */
const CLIP = 4

/** Edges between two turns of the event loop. */
const STRETCH = 2048

/**
 * Moves `moving` in place by stochastic gradient descent; `fixed` are the places that it is drawn to: itself, whose ends then both move, or others that stay.
 *
 * @see https://arxiv.org/abs/1802.03426
 */
export async function layOut(
  moving: Float64Array,
  fixed: Float64Array,
  { heads, tails, weights }: Edges,
  { dimensions, epochs, curve, learningRate, negatives, repulsion, seed, signal, onEpoch }: LayoutOptions,
): Promise<void> {
  const { a, b } = curve
  const isOwn = moving === fixed
  const others = fixed.length / dimensions
  const between = weights.map((weight) => 1 / weight)
  const next = between.slice()
  const nextNegative = between.map((every) => every / negatives)
  const draw = whole(seed)
  for (let epoch = 0; epoch < epochs; epoch++) {
    const rate = learningRate * (1 - epoch / epochs)
    for (let from = 0; from < heads.length; from += STRETCH) {
      throwIfAborted(signal)
      await breathe()
      stretch(from, Math.min(heads.length, from + STRETCH), epoch, rate)
    }
    onEpoch?.(epoch + 1)
  }

  function stretch(from: number, to: number, epoch: number, rate: number): void {
    for (let edge = from; edge < to; edge++) {
      if (next[edge]! > epoch) continue
      const i = heads[edge]! * dimensions
      const j = tails[edge]! * dimensions
      pull(i, j, rate)
      next[edge]! += between[edge]!
      const every = between[edge]! / negatives
      const due = Math.floor((epoch - nextNegative[edge]!) / every)
      for (let k = 0; k < due; k++) push(i, (draw() % others) * dimensions, rate)
      if (due > 0) nextNegative[edge]! += due * every
    }
  }

  function pull(i: number, j: number, rate: number): void {
    const distance = squared(i, j)
    if (distance === 0) return
    const power = distance ** b
    const force = (-2 * a * b * power) / distance / (a * power + 1)
    for (let d = 0; d < dimensions; d++) {
      const step = clipped(force * (moving[i + d]! - fixed[j + d]!)) * rate
      moving[i + d]! += step
      if (isOwn) fixed[j + d]! -= step
    }
  }

  function push(i: number, j: number, rate: number): void {
    if (isOwn && i === j) return
    const distance = squared(i, j)
    if (distance === 0) {
      for (let d = 0; d < dimensions; d++) moving[i + d]! += CLIP * rate
      return
    }
    const force = (2 * repulsion * b) / ((0.001 + distance) * (a * distance ** b + 1))
    for (let d = 0; d < dimensions; d++)
      moving[i + d]! += clipped(force * (moving[i + d]! - fixed[j + d]!)) * rate
  }

  function squared(i: number, j: number): number {
    let sum = 0
    for (let d = 0; d < dimensions; d++) {
      const apart = moving[i + d]! - fixed[j + d]!
      sum += apart * apart
    }
    return sum
  }
}

const clipped = (step: number): number => (step > CLIP ? CLIP : step < -CLIP ? -CLIP : step)

/** Random whole numbers of 31 bits, by xorshift: the layout draws hundreds of millions. */
function whole(seed: number): () => number {
  let state = Math.floor(seeded(seed, 'reduce.umap').uniform() * 2 ** 24) * 128 + 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 1
  }
}
