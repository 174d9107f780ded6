// Passes from the graph that users save to the one that ONNX Runtime runs fastest, used by `compile` alone.
//
// There is no fusing into Attention, SkipLayerNormalization or BiasGelu here: measured on MiniLM with 16 × 32 tokens and
// one thread, the plain graph took 47 ms, with those operators 54 ms; on the CPU SkipLayerNormalization alone takes five
// times as long as Add and LayerNormalization.
import { type Graph, prune } from '../../graph/index.ts'
import type { Lowered } from '../node/weights.ts'
import type { Device } from '../types.ts'
import { foldHalves } from './halves.ts'
import { turnKeys } from './keys.ts'
import { holdLayout } from './layout.ts'
import { fuseLinear, fuseTransposedWeights } from './transposed.ts'
import { writeZeroPoints } from './zeroPoints.ts'

const PASSES: readonly ((lowered: Lowered) => Lowered)[] = [
  foldHalves,
  fuseTransposedWeights,
  fuseLinear,
  turnKeys,
  holdLayout,
  writeZeroPoints,
]

/** Other devices have none of the CPU's own operators; what they share is that halves need not be widened by each session. */
const ELSEWHERE: typeof PASSES = [foldHalves]

/** Rewrites a graph for the runtime; the numbers stay the same. */
export function lower(graph: Graph, device: Device = 'cpu'): Lowered {
  const passes = device === 'cpu' ? PASSES : ELSEWHERE
  const { graph: lowered, halves } = passes.reduce<Lowered>((before, pass) => pass(before), {
    graph,
    halves: new Set(),
  })
  // The inputs stay: a caller may feed one that has no effect.
  return { graph: { ...prune(lowered, { keepInputs: true }), inputs: graph.inputs }, halves }
}
