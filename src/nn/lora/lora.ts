/** Low-rank adaptation (LoRA, https://arxiv.org/abs/2106.09685): a pass that adds it to linear layers, and one that merges it into their weights. */
import { PipiloError } from '../../base/index.ts'
import {
  Builder,
  type Graph,
  type Initializer,
  loadTensor,
  MASK_COUNTER,
  type Node,
  op,
  parametersOf,
  prune,
  ROLE_KEY,
  reads,
  UPDATES_KEY,
  type Value,
  widened,
} from '../../graph/index.ts'
import { tensor } from '../../tensor/index.ts'
import { draw } from '../layers/initialization.ts'
import { dropout } from '../layers/layers.ts'
import type { Mode } from '../types.ts'
import { type LinearLayer, type LoraTargets, linearLayers } from './linearLayers.ts'

/** Settings of a LoRA, by the paper's names. */
export interface LoraConfig {
  /** Rank of what is added to a weight. */
  readonly rank: number
  /** The change of a weight is scaled by `alpha / rank`. */
  readonly alpha: number
  /** Dropout before the first matrix, while training. Default 0. */
  readonly dropout?: number
  /** Scale by `alpha / √rank` (https://arxiv.org/abs/2312.03732). Default `false`. */
  readonly rankStabilized?: boolean
}

export interface LoraOptions extends LoraConfig {
  /** Layers by the names of their modules: a pattern that a name contains, or names and ends of names, as in PEFT. */
  readonly targets: LoraTargets
  /** Matrices by their names in the graph. Default: fresh ones, the first drawn as PyTorch's linear layers are, the second zeros. */
  readonly tensors?: ReadonlyMap<string, Initializer>
  /** Seed of fresh matrices. Default 0. */
  readonly seed?: number
  /** Default `training`; `inference` leaves dropout away. */
  readonly mode?: Mode
}

/** LoRA of a graph, as its metadata say. */
export interface Lora extends Required<LoraConfig> {
  /** Modules that have it. */
  readonly modules: readonly string[]
}

const KEY = 'pipilo.lora'
const PREFIX = 'base_model.model.'
const name = (module: string, matrix: 'A' | 'B') => `${PREFIX}${module}.lora_${matrix}.weight`
const sumName = (module: string) => `${module}.lora/sum`

/**
 * The graph with low-rank matrices beside the weights of some linear layers: `y = x Wᵀ + (x Aᵀ) Bᵀ · alpha / rank`.
 *
 * @example
 * ```ts
 * const adapted = addLora(graph, { targets: /query|value/, rank: 8, alpha: 16, dropout: 0.1 })
 * loraParameters(adapted) // what an optimiser trains; all else stays
 * const merged = await mergeLora(trained) // plain weights again
 * ```
 *
 * @remarks
 * Matrices have PEFT's names (`base_model.model.encoder.layer.0.attention.self.query.lora_A.weight`, [rank, inputs], and `lora_B`, [outputs,
 * rank]) and the role of weights. With fresh ones the graph gives what it gave, since B is zeros. Layers are products with a weight
 * `<module>.weight` (`MatMul`, `Gemm`) that is used once.
 *
 * @throws PipiloError `LAYER_UNKNOWN` with the closest names where a target means nothing, `OPERATOR_UNSUPPORTED` for modules that are no linear
 *   layers, `OPTION_INVALID` (also for fresh matrices of a rank beyond the layer's own), `PARAMETER_MISSING` and `SHAPE_MISMATCH` for `tensors` that do not fit, `GRAPH_INVALID` if it has a LoRA
 */
export function addLora(graph: Graph, options: LoraOptions): Graph {
  const lora = checked(graph, options)
  const layers = linearLayers(graph, options.targets)
  const builder = Builder.from(graph)
  for (const layer of layers) add(builder, layer, lora, options)
  const built = builder.build()
  const moved = layers.reduce((nodes, { node, module }) => spliced(nodes, node, module), built.nodes)
  const said: Lora = { ...lora, modules: layers.map(({ module }) => module) }
  return {
    ...built,
    nodes: inOrder(moved),
    metadata: new Map([...graph.metadata, [KEY, JSON.stringify(said)]]),
  }
}

/** The graph's LoRA; `undefined` if it has none. */
export function loraOf(graph: Graph): Lora | undefined {
  const text = graph.metadata.get(KEY)
  return text === undefined ? undefined : (JSON.parse(text) as Lora)
}

/** Names of the matrices of the graph's LoRA, in its order. */
export function loraParameters(graph: Graph): string[] {
  const lora = loraOf(graph)
  const names = new Set(lora?.modules.flatMap((module) => [name(module, 'A'), name(module, 'B')]))
  return parametersOf(graph).flatMap((parameter) => (names.has(parameter.name) ? [parameter.name] : []))
}

/**
 * The graph with its LoRA added into the weights, and gone: as fast as it was, and a little different from the graph with the LoRA, by
 * rounding.
 *
 * @remarks
 * Weights that it changes are float32 and in memory. A counter that only its dropout drew from is gone as well.
 *
 * @throws PipiloError `GRAPH_INVALID` if there is none
 */
export async function mergeLora(graph: Graph): Promise<Graph> {
  const lora = loraOf(graph)
  if (!lora) throw new PipiloError('GRAPH_INVALID', 'The graph has no LoRA to merge.', { input: graph.name })
  const initializers = new Map(graph.initializers)
  let nodes = graph.nodes
  for (const layer of linearLayers(graph, lora.modules)) {
    const [weight, a, b] = await Promise.all(
      [layer.weight, name(layer.module, 'A'), name(layer.module, 'B')].map(async (key) =>
        widened(await loadTensor(initializers.get(key)!)),
      ),
    )
    const data = merged(
      layer,
      [weight!, a!, b!].map((one) => one.data as Float32Array),
      lora,
    )
    initializers.set(layer.weight, tensor('float32', weight!.shape, data))
    nodes = unspliced(nodes, layer)
  }
  const metadata = new Map([...graph.metadata].filter(([key]) => key !== KEY))
  return withoutIdleCounter(prune({ ...graph, nodes, initializers, metadata }, { keepInputs: true }))
}

function checked(graph: Graph, options: LoraOptions): Required<LoraConfig> {
  const { rank, alpha, dropout = 0, rankStabilized = false } = options
  if (loraOf(graph)) {
    throw new PipiloError('GRAPH_INVALID', 'The graph has a LoRA already.', { hint: 'Merge it first.' })
  }
  const wrong = (what: string, value: number, is: string) =>
    new PipiloError('OPTION_INVALID', `The ${what} of a LoRA is ${value}, not ${is}.`, { input: what })
  if (!(Number.isSafeInteger(rank) && rank > 0)) throw wrong('rank', rank, 'a positive integer')
  if (!(Number.isFinite(alpha) && alpha > 0)) throw wrong('alpha', alpha, 'a positive number')
  if (!(dropout >= 0 && dropout < 1)) throw wrong('dropout', dropout, 'from 0 to below 1')
  return { rank, alpha, dropout, rankStabilized }
}

const scaleOf = ({ rank, alpha, rankStabilized }: Required<LoraConfig>) =>
  alpha / (rankStabilized ? Math.sqrt(rank) : rank)

/** Adds what is to stand beside the product, and their sum. */
function add(builder: Builder, layer: LinearLayer, lora: Required<LoraConfig>, options: LoraOptions): void {
  const { node, module, inputs, outputs } = layer
  const { mode = 'training' } = options
  if (!options.tensors && lora.rank > Math.min(inputs, outputs)) {
    throw new PipiloError(
      'OPTION_INVALID',
      `The rank of a LoRA is ${lora.rank}, and ${module} has ${inputs} inputs and ${outputs} outputs.`,
      { input: 'rank', hint: `Its change of the weight has at most rank ${Math.min(inputs, outputs)}.` },
    )
  }
  const x = builder.value(node.inputs[0]!)
  const product = builder.value(node.outputs[0]!)
  builder.scope(`${module}.lora`, { kind: 'Lora' }, () => {
    const a = matrix(builder, name(module, 'A'), [lora.rank, inputs], options)
    const b = matrix(builder, name(module, 'B'), [outputs, lora.rank], options)
    const kept = dropout(x, lora.dropout, mode)
    const turned = (value: Value) => op.transpose(value, [1, 0])
    const change = op.mul(op.matMul(op.matMul(kept, turned(a)), turned(b)), scaleOf(lora))
    return builder.copy(
      {
        name: sumName(module),
        op: 'Add',
        domain: '',
        inputs: [product.name, change.name],
        outputs: [sumName(module)],
        attributes: {},
      },
      [product, change],
      { name: (own) => own },
    )
  })
}

function matrix(
  builder: Builder,
  key: string,
  shape: readonly number[],
  { tensors, seed = 0 }: LoraOptions,
): Value {
  const role = new Map([[ROLE_KEY, 'weight']])
  const init = key.endsWith('lora_A.weight')
    ? ({ kind: 'kaiming_uniform', a: Math.sqrt(5) } as const)
    : ({ kind: 'zeros' } as const)
  const given = tensors ? tensors.get(key) : draw(init, shape, seed, key)
  if (!given) {
    throw new PipiloError('PARAMETER_MISSING', `The LoRA has no tensor ${key}.`, { input: key })
  }
  if (given.shape.join() !== shape.join()) {
    throw new PipiloError(
      'SHAPE_MISMATCH',
      `${key} is [${given.shape.join(', ')}], but the layer asks for [${shape.join(', ')}].`,
      { input: key },
    )
  }
  return op.cast(builder.initializer(key, 'data' in given ? widened(given) : given, role), 'float32')
}

/** The sum takes the product's name, so that whatever reads the product reads the sum. */
function spliced(nodes: readonly Node[], product: Node, module: string): readonly Node[] {
  const [result] = product.outputs as [string]
  const bare = `${module}.lora/base`
  return nodes.map((node) => {
    if (node.outputs[0] === result) return { ...node, outputs: [bare] }
    if (node.name !== sumName(module)) return node
    return { ...node, inputs: [bare, node.inputs[1]!], outputs: [result] }
  })
}

function unspliced(nodes: readonly Node[], { node: product, module }: LinearLayer): readonly Node[] {
  const sum = nodes.find((node) => node.name === sumName(module))!
  return nodes.flatMap((node) => {
    if (node === sum) return []
    return node.name === product.name ? [{ ...node, outputs: sum.outputs }] : [node]
  })
}

/** Each node behind those that it reads, else in the order that they have. */
function inOrder(nodes: readonly Node[]): readonly Node[] {
  const makers = new Map(nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)))
  const sorted: Node[] = []
  const seen = new Set<Node>()
  for (const start of nodes) {
    // An explicit stack: graphs are deeper than calls may be.
    const stack = [start]
    while (stack.length > 0) {
      const node = stack.at(-1)!
      const missing = seen.has(node)
        ? undefined
        : reads(node)
            .map((input) => makers.get(input))
            .find((maker) => maker && !seen.has(maker))
      if (missing) {
        stack.push(missing)
        continue
      }
      stack.pop()
      if (seen.has(node)) continue
      seen.add(node)
      sorted.push(node)
    }
  }
  return sorted
}

/** `W + B A · scale`, in the layout of W. */
function merged(
  { inputs, outputs, transposed }: LinearLayer,
  [weight, a, b]: readonly Float32Array[],
  lora: Required<LoraConfig>,
): Float32Array {
  const scale = scaleOf(lora)
  const result = weight!.slice()
  const row = new Float64Array(inputs)
  for (let out = 0; out < outputs; out++) {
    row.fill(0)
    for (let k = 0; k < lora.rank; k++) {
      const factor = b![out * lora.rank + k]! * scale
      for (let i = 0; i < inputs; i++) row[i]! += factor * a![k * inputs + i]!
    }
    for (let i = 0; i < inputs; i++) result[transposed ? i * outputs + out : out * inputs + i]! += row[i]!
  }
  return result
}

/** Without a counter of masks that nothing but its own next value reads. */
function withoutIdleCounter(graph: Graph): Graph {
  const isNext = ({ metadata }: Graph['outputs'][number]) => metadata?.get(UPDATES_KEY) === MASK_COUNTER
  const next = graph.outputs.find(isNext)
  const readers = graph.nodes.filter((node) => reads(node).includes(MASK_COUNTER))
  if (!next || readers.some(({ outputs }) => !outputs.includes(next.name))) return graph
  return prune(
    {
      ...graph,
      inputs: graph.inputs.filter((info) => info.name !== MASK_COUNTER),
      outputs: graph.outputs.filter((info) => info !== next),
    },
    { keepInputs: true },
  )
}
