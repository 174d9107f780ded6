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
  const between = weights.map((weight) => 1 / weight)
  const work: Work = {
    moving,
    fixed,
    heads,
    tails,
    between,
    dimensions,
    negatives,
    next: between.slice(),
    nextNegative: between.map((every) => every / negatives),
    forces: forcesOf(curve, repulsion),
    state: Uint32Array.of(Math.floor(seeded(seed, 'reduce.umap').uniform() * 2 ** 24) * 128 + 1),
  }
  for (let epoch = 0; epoch < epochs; epoch++) {
    const rate = learningRate * (1 - epoch / epochs)
    for (let from = 0; from < heads.length; from += STRETCH) {
      throwIfAborted(signal)
      await breathe()
      stretch(work, from, Math.min(heads.length, from + STRETCH), epoch, rate)
    }
    onEpoch?.(epoch + 1)
  }
}

interface Work {
  readonly moving: Float64Array
  readonly fixed: Float64Array
  readonly heads: Int32Array
  readonly tails: Int32Array
  /** Epochs from one draw of an edge to the next. */
  readonly between: Float64Array
  readonly next: Float64Array
  readonly nextNegative: Float64Array
  readonly dimensions: number
  readonly negatives: number
  readonly forces: Forces
  /** Of the random numbers: the layout draws hundreds of millions, by xorshift. */
  readonly state: Uint32Array
}

/** Some edges in one epoch. It runs hundreds of millions of times: everything lies in locals, and nothing is called that V8 does not inline. */
function stretch(work: Work, from: number, to: number, epoch: number, rate: number): void {
  const { moving, fixed, heads, tails, between, next, nextNegative, dimensions, negatives } = work
  const { pulls, pushes, number, bits } = work.forces
  const isOwn = moving === fixed
  const others = fixed.length / dimensions
  let state = work.state[0]! | 0
  for (let edge = from; edge < to; edge++) {
    if (next[edge]! > epoch) continue
    const i = heads[edge]! * dimensions
    const j = tails[edge]! * dimensions
    let distance = 0
    for (let d = 0; d < dimensions; d++) {
      const apart = moving[i + d]! - fixed[j + d]!
      distance += apart * apart
    }
    if (distance > 0) {
      number[0] = distance
      const force = interpolated(pulls, bits[0]!)
      for (let d = 0; d < dimensions; d++) {
        const step = clipped(force * (moving[i + d]! - fixed[j + d]!)) * rate
        moving[i + d]! += step
        if (isOwn) fixed[j + d]! -= step
      }
    }
    next[edge]! += between[edge]!
    const every = between[edge]! / negatives
    const count = Math.floor((epoch - nextNegative[edge]!) / every)
    if (count <= 0) continue
    nextNegative[edge]! += count * every
    for (let k = 0; k < count; k++) {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      const other = Math.floor(((state >>> 0) / 2 ** 32) * others) * dimensions
      if (isOwn && other === i) continue
      let far = 0
      for (let d = 0; d < dimensions; d++) {
        const apart = moving[i + d]! - fixed[other + d]!
        far += apart * apart
      }
      number[0] = far
      const force = interpolated(pushes, bits[0]!)
      for (let d = 0; d < dimensions; d++) {
        // From the same place, any direction leads away.
        const step = far > 0 ? clipped(force * (moving[i + d]! - fixed[other + d]!)) : CLIP
        moving[i + d]! += step * rate
      }
    }
  }
  work.state[0] = state
}

const clipped = (step: number): number => (step > CLIP ? CLIP : step < -CLIP ? -CLIP : step)

/** Smallest and largest exponent of two of the squared distances in the tables; beyond them, forces are those of the ends. */
const [LOWEST, HIGHEST] = [-40, 40]

/** Entries for each power of two: 2^BITS. Between them forces are interpolated, with errors below one in 100,000. */
const BITS = 7

/** Forces by squared distance, in tables: powers take longer than all the rest. */
interface Forces {
  /** Of edges; negative: they draw together. */
  readonly pulls: Float64Array
  readonly pushes: Float64Array
  /** One number, whose bits are read. */
  readonly number: Float32Array
  readonly bits: Uint32Array
}

function forcesOf({ a, b }: Curve, repulsion: number): Forces {
  const steps = 1 << BITS
  const at = (entry: number) => 2 ** (LOWEST + Math.floor(entry / steps)) * (1 + (entry % steps) / steps)
  const table = (force: (distance: number) => number) =>
    Float64Array.from({ length: ((HIGHEST - LOWEST) << BITS) + 2 }, (_, entry) => force(at(entry)))
  const number = new Float32Array(1)
  return {
    pulls: table((x) => (-2 * a * b * x ** (b - 1)) / (a * x ** b + 1)),
    pushes: table((x) => (2 * repulsion * b) / ((0.001 + x) * (a * x ** b + 1))),
    number,
    bits: new Uint32Array(number.buffer),
  }
}

/** The force at a squared distance, given by its bits: a float32 has its exponent, plus 127, above the 23 of its fraction. */
function interpolated(table: Float64Array, bits: number): number {
  const entry = (bits >>> (23 - BITS)) - ((127 + LOWEST) << BITS)
  if (entry < 0) return table[0]!
  if (entry >= table.length - 2) return table[table.length - 2]!
  const share = (bits & ((1 << (23 - BITS)) - 1)) / (1 << (23 - BITS))
  const value = table[entry]!
  return value + share * (table[entry + 1]! - value)
}
