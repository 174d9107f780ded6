/** The objective on data that is not trained on. */
import type { Graph, Initializer } from '../graph/index.ts'
import { compile } from '../runtime/index.ts'
import type { Tensor } from '../tensor/index.ts'
import type { BatchSource } from './batches.ts'
import { collate } from './collate.ts'
import type { Network, Objective } from './objective.ts'
import { BatchScope, type Feed } from './scope.ts'

/** Evaluates weights on the validation data. */
export interface Evaluation {
  /** Means over all rows: `validation_loss`, and the objective's metrics with `validation_` before their names. */
  run(weights: ReadonlyMap<string, Tensor>): Promise<Readonly<Record<string, number>>>
}

interface Forward {
  readonly graph: Graph
  readonly feeds: ReadonlyMap<string, Feed>
}

/** The evaluation of a network without dropout, with its running statistics. */
export function openEvaluation(
  network: Network,
  objective: Objective,
  source: BatchSource,
  seed: number,
): Evaluation {
  const calm: Network = { ...network, training: network.inference }
  const built = new Map<number, Forward>()
  const forwardOf = (batch: number): Forward => {
    const known = built.get(batch)
    if (known) return known
    const scope = new BatchScope(calm, objective, { batch, seed, classes: source.classes, mode: 'inference' })
    const { loss, metrics = {} } = objective.build(scope)
    scope.builder.output('loss', loss)
    for (const [name, value] of Object.entries(metrics)) scope.builder.output(name, value)
    const forward = { graph: scope.builder.build(), feeds: scope.feeds }
    built.set(batch, forward)
    return forward
  }
  return {
    async run(weights) {
      const sums: Record<string, number> = {}
      let rows = 0
      let step = 0
      for (const size of source.validationSizes(objective.leastBatch ?? 1)) {
        const { graph, feeds } = forwardOf(size)
        // A network without pictures and texts is a head: a thread of its own would take longer to start than all its runs.
        const workers = network.image || network.text ? 1 : 0
        const session = await compile(withWeights(graph, weights), { workers })
        try {
          for await (const batch of source.validation(size)) {
            const given = collate(feeds, batch, {
              network,
              seed,
              step: step++,
              classes: source.classes,
              nameOf: source.validationNameOf,
            })
            for (const [name, { data }] of Object.entries(await session.run(given))) {
              sums[name] = (sums[name] ?? 0) + Number(data[0]) * size
            }
            rows += size
          }
        } finally {
          await session.dispose()
        }
      }
      return Object.fromEntries(Object.entries(sums).map(([name, sum]) => [`validation_${name}`, sum / rows]))
    },
  }
}

/** The graph with other values in its weights and buffers. */
export function withWeights(graph: Graph, weights: ReadonlyMap<string, Tensor>): Graph {
  const initializers = new Map<string, Initializer>(
    [...graph.initializers].map(([name, initializer]) => [name, weights.get(name) ?? initializer]),
  )
  return { ...graph, initializers }
}
