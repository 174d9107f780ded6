// From the graph that users save to what ONNX Runtime runs best.
import type { Graph } from '../../graph/index.ts'
import type { Lowered } from '../weights.ts'

export function lower(graph: Graph): Lowered {
  return { graph, halves: new Map() }
}
