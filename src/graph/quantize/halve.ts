// Pass that keeps float32 weights as float16.
import { bytesPerElement, elementCount, float32ToFloat16 } from '../../tensor/index.ts'
import { prune } from '../passes/index.ts'
import { reads } from '../passes/walk.ts'
import type { Graph, Node } from '../types.ts'
import { type Derived, inMemory, lastLoaded, type Place } from './derived.ts'
import { FLOAT, Rewriter } from './rewriter.ts'
import { floats } from './symmetric.ts'

export interface HalveOptions {
  /** Place of the new weights. Default: in memory. */
  readonly place?: Place
}

/**
 * The graph with its float32 weights kept as float16: a file of half the size.
 *
 * @example
 * ```ts
 * await writeOnnx(await halve(model.graph), 'model.fp16.onnx')
 * ```
 *
 * @remarks
 * Each weight goes through a `Cast` to float32, so the computation stays in float32. bfloat16 weights stay as they are, and
 * so do small ones. Numbers beyond 65,504 become infinite, as in every float16 checkpoint.
 */
export async function halve(graph: Graph, options: HalveOptions = {}): Promise<Graph> {
  const { place = inMemory } = options
  const rewriter = new Rewriter(graph)
  const load = lastLoaded()
  const kept = new Set([...graph.inputs, ...graph.outputs].map(({ name }) => name))
  const derived: Derived[] = []
  const casts: Node[] = []
  const users = new Map<string, Node>()
  for (const node of graph.nodes) for (const name of reads(node)) if (!users.has(name)) users.set(name, node)
  for (const [name, source] of graph.initializers) {
    const bytes = source.dtype === 'float32' ? elementCount(source.shape) * bytesPerElement('float32') : 0
    const user = users.get(name)
    if (bytes < SMALL || kept.has(name) || !user) continue
    const { shape } = source
    const half = rewriter.fresh(`${name}_float16`)
    derived.push({
      name: half,
      dtype: 'float16',
      shape,
      recipe: 'float16',
      sources: [source],
      async make() {
        const numbers = floats(await load(source))
        return { dtype: 'float16', shape, data: float32ToFloat16(numbers) }
      },
    })
    const cast = rewriter.node(user, 'Cast', [half], {
      outputs: [name],
      attributes: { to: { type: 'int', value: FLOAT } },
    })
    casts.push(cast)
  }
  if (derived.length === 0) return graph
  const made = await place(derived)
  const initializers = new Map([...graph.initializers, ...made])
  const values = new Map(graph.values)
  for (const { inputs, outputs } of casts) {
    initializers.delete(outputs[0]!)
    // Its role goes with the weight.
    const said = values.get(outputs[0]!)
    if (said) values.set(inputs[0]!, { ...said, name: inputs[0]! })
    values.delete(outputs[0]!)
  }
  return prune({ ...graph, nodes: [...casts, ...graph.nodes], initializers, values }, { keepInputs: true })
}

/** Bytes below which a weight stays: also shapes, axes and scalars, which the runtime's optimiser reads. */
const SMALL = 1024
