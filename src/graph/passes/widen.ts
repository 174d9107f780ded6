/** The pass that widens weights of half precision, so that no `Cast` stands between them and their use. */
import type { Tensor } from '../../tensor/index.ts'
import { dataType } from '../onnx/schema.ts'
import { floats } from '../quantize/symmetric.ts'
import type { Graph, Initializer, Node } from '../types.ts'
import { prune } from './prune.ts'
import { mapSubgraphs, reads } from './walk.ts'

/**
 * The graph whose floating-point initializers are float32 wherever a `Cast` to float32 is their only use; that `Cast` is gone.
 *
 * @example
 * ```ts
 * const trainable = await widen(graph, (tensor) => loadTensor(tensor))
 * ```
 *
 * @remarks
 * Initializers keep their names and roles. One that is also an input stays as it is.
 *
 * @param load gives the elements of a tensor that lies in a file; asked once for each that is widened, one after another
 */
export async function widen(graph: Graph, load: (tensor: Initializer) => Promise<Tensor>): Promise<Graph> {
  const uses = new Map<string, Node[]>()
  for (const node of graph.nodes) {
    for (const name of reads(node)) uses.set(name, [...(uses.get(name) ?? []), node])
  }
  const kept = new Set([...graph.inputs, ...graph.outputs].map(({ name }) => name))
  const outputs = new Set(graph.outputs.map(({ name }) => name))
  const wide = new Map<string, Tensor>()
  const renamed = new Map<string, string>()
  for (const [name, tensor] of graph.initializers) {
    const casts = uses.get(name) ?? []
    const fits = casts.length > 0 && casts.every((node) => widens(node) && !outputs.has(node.outputs[0]!))
    if (!/^(b?float16|float64)$/.test(tensor.dtype) || kept.has(name) || !fits) continue
    wide.set(name, widened('data' in tensor ? tensor : await load(tensor)))
    for (const { outputs } of casts) renamed.set(outputs[0]!, name)
  }
  if (wide.size === 0) return graph
  const to = (name: string) => renamed.get(name) ?? name
  const follow = (node: Node): Node =>
    mapSubgraphs({ ...node, inputs: node.inputs.map(to) }, (inner) => ({
      ...inner,
      nodes: inner.nodes.map(follow),
      outputs: inner.outputs.map((info) => ({ ...info, name: to(info.name) })),
    }))
  return prune(
    {
      ...graph,
      nodes: graph.nodes.filter(({ outputs }) => !renamed.has(outputs[0]!)).map(follow),
      initializers: new Map(
        [...graph.initializers].map(([name, tensor]) => [name, wide.get(name) ?? tensor]),
      ),
    },
    { keepInputs: true },
  )
}

/** A tensor of floats as float32; one that is float32 already is given back. */
export function widened(tensor: Tensor): Tensor {
  if (tensor.dtype === 'float32') return tensor
  return { dtype: 'float32', shape: tensor.shape, data: floats(tensor) }
}

function widens({ op, domain, attributes }: Node): boolean {
  const to = attributes['to']
  return op === 'Cast' && domain === '' && to?.type === 'int' && Number(to.value) === dataType('float32')
}
