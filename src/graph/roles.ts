/** Roles of a graph's tensors: the one place that says which are parameters. */
import type { Graph, Node, ValueInfo } from './types.ts'

/** Role of a parameter in training: a weight is trained, a buffer (running statistics) is kept up by the graph itself. */
export type Role = 'weight' | 'buffer'

/** A named tensor that a model is saved with. */
export interface Parameter {
  readonly name: string
  readonly role: Role
  readonly shape: readonly number[]
}

/** Key of a value's metadata: the {@link Role} of an initializer, or of the input that took its place. */
export const ROLE_KEY = 'pipilo.role'

/** Key of an output's metadata: the name of the buffer or input that it is the next value of. */
export const UPDATES_KEY = 'pipilo.updates'

/**
 * Name of the input that all masks of a graph are drawn from: int64 [2], a seed and the number of the step.
 *
 * The same numbers give the same masks, on any machine and with any number of threads; each mask is told apart by its place in
 * the network. The output `mask_counter.next` is the same seed with the next step (`updatesOf`), so a session that holds state goes
 * on by itself, and a run is resumed by feeding what was kept. Seeds are any integers; steps and the elements of
 * a mask's longest row are counted in 32 bits.
 */
export const MASK_COUNTER = 'mask_counter'

/** The name that a builder or pass gives to a constant of its own, which is no parameter. */
export function constantName(text: string): string {
  return `constant/${text}`
}

/** Behind a prefix, where graphs were composed. */
const CONSTANT = /(?:^|\.)constant\//

/** True for the name of a constant that a builder or pass made. */
export function isConstantName(name: string): boolean {
  return CONSTANT.test(name)
}

/** Numbers that are learned: floats, and what quantisation makes of them. */
const LEARNED = /^(b?float|complex|u?int[248]$)/

/**
 * The role of an initializer, or of an input that took the place of one; `undefined` for constants and for what is fed.
 *
 * @example
 * ```ts
 * roleOf(graph, 'layer1.0.bn1.running_mean') // 'buffer'
 * ```
 *
 * @remarks
 * Architectures say it themselves. An initializer of which nothing is said (graphs from ONNX files, tensors that a pass made) is a
 * weight if it is of floats or of at most 8 bits and has an axis, and a buffer where it is the mean or variance of a `BatchNormalization`;
 * scalars, other integers, and what a builder made as a constant are constants.
 */
export function roleOf(graph: Graph, name: string): Role | undefined {
  const said =
    statedRole(graph.values.get(name)) ?? statedRole(graph.inputs.find((info) => info.name === name))
  if (said) return said
  const tensor = graph.initializers.get(name)
  if (!tensor || tensor.shape.length === 0 || isConstantName(name)) return undefined
  if (!LEARNED.test(tensor.dtype)) return undefined
  return statisticsOf(graph.nodes).has(name) ? 'buffer' : 'weight'
}

const statistics = new WeakMap<readonly Node[], ReadonlySet<string>>()

/** Names of what batch normalisations take for mean and variance. */
function statisticsOf(nodes: readonly Node[]): ReadonlySet<string> {
  const found =
    statistics.get(nodes) ??
    new Set(nodes.flatMap(({ op, inputs }) => (op === 'BatchNormalization' ? inputs.slice(3, 5) : [])))
  statistics.set(nodes, found)
  return found
}

/**
 * The parameters of a graph, in its own order: initializers, then inputs that took the place of some (`initializersToInputs`). Their roles
 * are those of {@link roleOf}.
 *
 * @example
 * ```ts
 * parametersOf(graph).filter(({ role }) => role === 'weight') // what an optimiser trains
 * ```
 */
export function parametersOf(graph: Graph): Parameter[] {
  const tensors = [...graph.initializers].flatMap(([name, { shape }]) => {
    const role = roleOf(graph, name)
    return role ? [{ name, role, shape }] : []
  })
  const fed = graph.inputs.flatMap((info) => {
    const role = statedRole(info)
    const shape = info.type?.kind === 'tensor' ? info.type.shape : undefined
    return role && shape && !graph.initializers.has(info.name)
      ? [{ name: info.name, role, shape: shape.map(Number) }]
      : []
  })
  return [...tensors, ...fed]
}

/**
 * The outputs that are next values of buffers and inputs: by the name of what they are the next value of, the output's.
 *
 * @example
 * ```ts
 * updatesOf(graph).get('bn1.running_mean') // 'bn1.running_mean.next'
 * ```
 */
export function updatesOf(graph: Graph): ReadonlyMap<string, string> {
  return new Map(
    graph.outputs.flatMap(({ name, metadata }) => {
      const updated = metadata?.get(UPDATES_KEY)
      return updated === undefined ? [] : [[updated, name] as const]
    }),
  )
}

function statedRole(info: ValueInfo | undefined): Role | undefined {
  const role = info?.metadata?.get(ROLE_KEY)
  return role === 'weight' || role === 'buffer' ? role : undefined
}
