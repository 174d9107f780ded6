// Pass that turns a graph into int8: products, tables, and with samples also convolutions.
import { PipiloError } from '../../base/index.ts'
import type { Tensor } from '../../tensor/index.ts'
import { prune } from '../passes/index.ts'
import type { Graph, Node } from '../types.ts'
import type { Run, Sample } from './calibrate.ts'
import { inMemory, type Place } from './derived.ts'
import { linearQuantizer } from './linear.ts'
import { Rewriter } from './rewriter.ts'
import { convolutionQuantizer } from './static.ts'
import { tableQuantizer } from './table.ts'

export interface QuantizeOptions {
  /** Layers that stay as they are: scopes, with all that is inside them. */
  readonly skip?: readonly string[]
  /**
   * Feeds that calibrate convolutions: a few dozen typical pictures. Without them, convolutions stay float. Needs `evaluate`
   * and operator set 13.
   */
  readonly samples?: AsyncIterable<Sample> | Iterable<Sample>
  /** Runs a graph on a sample. */
  readonly evaluate?: Run
  /** Place of the new weights. Default: in memory. */
  readonly place?: Place
}

/**
 * The graph in int8, in standard operators.
 *
 * @example
 * ```ts
 * const small = await quantize(model.graph)
 * ```
 *
 * @remarks
 * Weights are symmetric int8 with a scale for each output channel (tables that rows are gathered from: for each row).
 * Products with a constant matrix are computed in integers, activations quantised as each call comes, with a scale for each row, so no data are needed and a vector does not depend on what it was batched with. Values keep
 * their names, and stay float.
 *
 * @throws `OPERATOR_UNSUPPORTED` for a graph below operator set 10, which had no integer products
 */
export async function quantize(graph: Graph, options: QuantizeOptions = {}): Promise<Graph> {
  const { skip = [], place = inMemory } = options
  const rewriter = new Rewriter(graph)
  if (rewriter.opset < 10) throw tooOld(rewriter, 10)
  const skipped = (node: Node) => skip.some((scope) => isInside(node, scope))
  const convolutions = await convolutionsOf(rewriter, skipped, options)
  const quantizers = [linearQuantizer(rewriter), tableQuantizer(rewriter)]
  const replace = (node: Node): readonly Node[] => {
    if (skipped(node)) return [node]
    for (const quantizer of quantizers) {
      const replaced = quantizer(node)
      if (replaced) return replaced
    }
    return [node]
  }
  const nodes = graph.nodes.flatMap((node) => (convolutions?.replace(node) ?? [node]).flatMap(replace))
  return finish(rewriter, [...(convolutions?.first ?? []), ...nodes], place)
}

async function convolutionsOf(
  rewriter: Rewriter,
  skipped: (node: Node) => boolean,
  { samples, evaluate }: QuantizeOptions,
): ReturnType<typeof convolutionQuantizer> {
  if (!samples) return undefined
  if (!evaluate)
    throw new PipiloError(
      'OPTION_INVALID',
      'Samples calibrate only if there is a function that runs the graph.',
      {
        input: 'evaluate',
        hint: 'Hand in `evaluate` of pipilo/runtime.',
      },
    )
  if (rewriter.opset < 13) throw tooOld(rewriter, 13)
  // Kept, since they are run more than once.
  const kept: Sample[] = []
  for await (const sample of samples) kept.push(sample)
  return convolutionQuantizer(rewriter, skipped, kept, evaluate)
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

function tooOld({ graph, opset }: Rewriter, needed: number): PipiloError {
  return new PipiloError(
    'OPERATOR_UNSUPPORTED',
    `The graph ${graph.name} has operator set ${opset}, and int8 needs ${needed}.`,
    { hint: 'Export the model with a newer operator set.' },
  )
}
