import { PipiloError, type Tensor } from '../../tensor/index.ts'
import { prune } from '../passes/index.ts'
import type { Graph, Node } from '../types.ts'
import { inMemory, type Place } from './derived.ts'
import { linearQuantizer } from './linear.ts'
import { Rewriter } from './rewriter.ts'
import { tableQuantizer } from './table.ts'

export interface QuantizeOptions {
  /** Layers that stay as they are: scopes, with all that is inside them. */
  readonly skip?: readonly string[]
  /** Where the new weights come to lie. Default: in memory. */
  readonly place?: Place
}

/**
 * The graph in int8, in standard operators.
 *
 * ```ts
 * const small = await quantize(model.graph)
 * ```
 *
 * Weights are symmetric int8 with a scale for each output channel (tables that rows are gathered from: for each row).
 * Products with a constant matrix are computed in integers, activations quantised as each call comes, with a scale for each row, so no data are needed and a vector does not depend on what it was batched with. Values keep
 * their names, and stay float.
 *
 * @throws `OPERATOR_UNSUPPORTED` for a graph below operator set 10, which had no integer products
 */
export async function quantize(graph: Graph, options: QuantizeOptions = {}): Promise<Graph> {
  const { skip = [], place = inMemory } = options
  const rewriter = new Rewriter(graph)
  if (rewriter.opset < 10)
    throw new PipiloError(
      'OPERATOR_UNSUPPORTED',
      `The graph ${graph.name} has operator set ${rewriter.opset}, and int8 needs 10.`,
      { hint: 'Export the model with a newer operator set.' },
    )
  const quantizers = [linearQuantizer(rewriter), tableQuantizer(rewriter)]
  const nodes = graph.nodes.flatMap((node): readonly Node[] => {
    if (skip.some((scope) => isInside(node, scope))) return [node]
    for (const quantizer of quantizers) {
      const replaced = quantizer(node)
      if (replaced) return replaced
    }
    return [node]
  })
  return finish(rewriter, nodes, place)
}

/** The graph with these nodes, and all tensors that they read. */
async function finish(rewriter: Rewriter, nodes: readonly Node[], place: Place): Promise<Graph> {
  const { graph, derived, values } = rewriter
  const made = derived.length > 0 ? await place(derived) : new Map<string, Tensor>()
  const next = {
    ...graph,
    nodes,
    initializers: new Map([...graph.initializers, ...made, ...rewriter.initializers]),
    values: new Map([...graph.values, ...values]),
  }
  return prune(next, { keepInputs: true })
}

function isInside({ name }: Node, scope: string): boolean {
  return name === scope || name.startsWith(`${scope}/`) || name.startsWith(`${scope}.`)
}
