// Runs a graph once on the calling thread.
import type { Graph } from '../../graph/index.ts'
import type { Tensor } from '../../tensor/index.ts'
import type { CompileOptions } from '../types.ts'
import { compile } from './compile.ts'

/** See `evaluate` in onDemand.ts. */
export async function evaluate(
  graph: Graph,
  feeds: Readonly<Record<string, Tensor>> = {},
  { isolate = false }: Pick<CompileOptions, 'isolate'> = {},
): Promise<Record<string, Tensor>> {
  const session = await compile(graph, isolate ? { isolate, workers: 1 } : { workers: 0 })
  try {
    return await session.run(feeds)
  } finally {
    await session.dispose()
  }
}
