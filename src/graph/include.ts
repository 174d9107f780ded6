/** Inlining of a whole graph into one that is being built. */
import { PipiloError } from '../base/index.ts'
import type { Builder, Value } from './builder.ts'
import { inferFacts } from './inference/infer.ts'
import { maskStream } from './maskStreams.ts'
import { renameAll } from './passes/compose.ts'
import { mapSubgraphs } from './passes/walk.ts'
import { isConstantName, MASK_COUNTER, UPDATES_KEY } from './roles.ts'
import type { Dimension, Graph, Initializer, ValueInfo, ValueType } from './types.ts'

/** Options of {@link include}. */
export interface IncludeOptions {
  /**
   * `keep`: the graph's updates of buffers become updates of the builder, and its buffers are read as earlier inclusions left them.
   * `drop`: it reads its buffers so too, and leaves them as they are. Default `keep`.
   */
  readonly updates?: 'keep' | 'drop'
  /**
   * `fresh`: its dropout draws masks of its own from the builder's counter. `same`: those that the graph would draw alone, in every
   * inclusion. Default `fresh`.
   */
  readonly masks?: 'fresh' | 'same'
  /** Put before names that are taken. Default: the scope's path, else the graph's name, and a dot. */
  readonly prefix?: string
}

/**
 * Adds a whole graph to a builder, with given values as its inputs.
 *
 * @example
 * ```ts
 * const { embedding: first } = include(builder, encoder, { pixel_values: view1 })
 * const { embedding: second } = include(builder, encoder, { pixel_values: view2 }) // the same weights
 * ```
 *
 * @remarks
 * Initializers keep their names, and a graph that is included again shares them: a tensor is the same if it is the same object under the
 * same name. Another tensor of a name that is taken gets the prefix. Within a scope of the builder, nodes and values (not
 * initializers) get its path before their names.
 *
 * Updates of buffers (`updatesOf`) go on in order, as when PyTorch calls a module twice: the second inclusion starts from the
 * running statistics that the first has made, and the builder's output is the last. The input `mask_counter` need not be given: it
 * becomes the builder's, and each inclusion after the first draws from another stream of it.
 *
 * Types are inferred from those of the given values; a symbol of the graph's inputs is what it meets there.
 *
 * @returns the graph's outputs by name, updates left out
 * @throws PipiloError `LAYER_UNKNOWN` for an input that the graph does not have, `INPUT_INVALID` for one that is missing,
 *   `DTYPE_MISMATCH`, `SHAPE_MISMATCH`, `GRAPH_INVALID` if operator sets or functions differ
 */
export function include(
  builder: Builder,
  graph: Graph,
  inputs: Readonly<Record<string, Value>>,
  options: IncludeOptions = {},
): Record<string, Value> {
  checkInputs(graph, inputs)
  builder.require(graph)
  const prefix = options.prefix ?? `${builder.path || graph.name || 'included'}.`
  const values = new Map(Object.entries(inputs))
  const stored = new Map<string, string>()
  if (wanted(graph, inputs).includes(MASK_COUNTER)) values.set(MASK_COUNTER, counterOf(builder, options))
  for (const [name, tensor] of graph.initializers) {
    if (values.has(name)) continue
    stored.set(name, store(builder, graph, name, tensor, prefix))
    values.set(name, builder.latest(stored.get(name)!))
  }
  addNodes(builder, graph, values, prefix, typesOf(graph, inputs))
  const outputs: [string, Value][] = []
  for (const { name, metadata } of graph.outputs) {
    const updated = metadata?.get(UPDATES_KEY)
    const buffer = updated === undefined ? undefined : stored.get(updated)
    const value = made(values, name)
    if (buffer !== undefined && options.updates !== 'drop') builder.update(buffer, value)
    const internal = buffer !== undefined || (updated === MASK_COUNTER && !inputs[MASK_COUNTER])
    if (!internal) outputs.push([name, value])
  }
  return Object.fromEntries(outputs)
}

/** Inputs that somebody has to give. */
function wanted(graph: Graph, given: Readonly<Record<string, Value>>): string[] {
  return graph.inputs
    .map(({ name }) => name)
    .filter((name) => !Object.hasOwn(given, name) && !graph.initializers.has(name))
}

function checkInputs(graph: Graph, given: Readonly<Record<string, Value>>): void {
  const infos = new Map(graph.inputs.map((info) => [info.name, info]))
  const hint = `It has ${[...infos.keys()].join(', ') || 'none'}.`
  for (const [name, value] of Object.entries(given)) {
    const info = infos.get(name)
    if (!info)
      throw new PipiloError('LAYER_UNKNOWN', `The graph has no input ${name}.`, { input: name, hint })
    checkType(info, value)
  }
  const missing = wanted(graph, given).filter((name) => name !== MASK_COUNTER)
  if (missing.length > 0) {
    throw new PipiloError('INPUT_INVALID', `The graph's inputs ${missing.join(', ')} are not given.`, {
      input: missing[0]!,
      hint,
    })
  }
  if (graph.sparseInitializers.size > 0) {
    throw new PipiloError('FORMAT_UNSUPPORTED', 'A graph with sparse initializers cannot be included.', {
      input: [...graph.sparseInitializers.keys()][0]!,
    })
  }
}

function checkType({ name, type }: ValueInfo, value: Value): void {
  if (type?.kind !== 'tensor' || value.type?.kind !== 'tensor') return
  if (type.dtype !== value.dtype) {
    throw new PipiloError('DTYPE_MISMATCH', `The input ${name} is ${type.dtype}, not ${value.dtype}.`, {
      input: name,
    })
  }
  const [declared, given] = [type.shape, value.type.shape]
  if (!declared || !given) return
  const differs = (size: Dimension, axis: number) =>
    typeof size === 'number' && typeof given[axis] === 'number' && size !== given[axis]
  if (declared.length === given.length && !declared.some(differs)) return
  throw new PipiloError(
    'SHAPE_MISMATCH',
    `The input ${name} is [${declared.join(', ')}], not [${given.join(', ')}].`,
    { input: name },
  )
}

function counterOf(builder: Builder, options: IncludeOptions): Value {
  if (options.masks === 'same' && builder.has(MASK_COUNTER)) return builder.value(MASK_COUNTER)
  return maskStream(builder)
}

/** The name of the builder's initializer that holds this tensor: the same one if it has it, else a new one. */
function store(builder: Builder, graph: Graph, name: string, tensor: Initializer, prefix: string): string {
  let candidate = name
  while (builder.taken(candidate)) {
    const other = builder.tensor(candidate)
    if (other === tensor || (other && isConstantName(name) && equal(other, tensor))) return candidate
    candidate = prefix + candidate
  }
  builder.initializer(candidate, tensor, graph.values.get(name)?.metadata)
  return candidate
}

/** True for equal numbers in memory; large ones are not compared. */
function equal(a: Initializer, b: Initializer): boolean {
  if (!('data' in a && 'data' in b) || a.dtype !== b.dtype || a.shape.join() !== b.shape.join()) return false
  const [left, right] = [Array.from<unknown>(a.data), Array.from<unknown>(b.data)]
  return left.length <= 1024 && left.every((element, i) => Object.is(element, right[i]))
}

function addNodes(
  builder: Builder,
  graph: Graph,
  values: Map<string, Value>,
  prefix: string,
  type: (output: string) => ValueType | undefined,
): void {
  const { path } = builder
  const scoped = (name: string) => (path === '' ? name : `${path}${name.startsWith('/') ? '' : '.'}${name}`)
  const name = (old: string) => (path === '' && builder.taken(old) ? prefix + old : scoped(old))
  // Names that graphs inside nodes give to their own values.
  const inner = new Map<string, string>()
  const innerName = (old: string) => {
    let candidate = name(old)
    while (builder.taken(candidate)) candidate = prefix + candidate
    inner.set(old, candidate)
    return candidate
  }
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((input) => (input === '' ? undefined : made(values, input)))
    const renamed = mapSubgraphs(node, (body) =>
      renameAll(body, (old) => values.get(old)?.name ?? inner.get(old) ?? innerName(old)),
    )
    const outputs = builder.copy(renamed, inputs, { name, type })
    for (const [i, output] of outputs.entries()) if (output) values.set(node.outputs[i]!, output)
  }
}

function made(values: ReadonlyMap<string, Value>, name: string): Value {
  const value = values.get(name)
  if (value) return value
  throw new PipiloError('GRAPH_INVALID', `Nothing before it makes ${name}, which the graph reads.`, {
    input: name,
  })
}

/** Types that the graph declares or that follow from it, for outputs of operators without a rule. */
function typesOf(
  graph: Graph,
  given: Readonly<Record<string, Value>>,
): (output: string) => ValueType | undefined {
  const met = new Map<string, Dimension>()
  for (const { name, type } of graph.inputs) {
    const value = given[name]
    if (type?.kind !== 'tensor' || value?.type?.kind !== 'tensor') continue
    for (const [axis, size] of (type.shape ?? []).entries()) {
      if (typeof size === 'string') met.set(size, value.type.shape?.[axis] ?? '')
    }
  }
  // A symbol that no input has is unknown here: in two inclusions it may be two sizes.
  const sizeOf = (size: Dimension) => (typeof size === 'number' ? size : (met.get(size) ?? ''))
  let facts: ReturnType<typeof inferFacts> | undefined
  return (output) => {
    facts ??= inferFacts(graph)
    const type = facts.get(output)?.type
    return type?.kind === 'tensor' && type.shape ? { ...type, shape: type.shape.map(sizeOf) } : type
  }
}
