// Lists the layers of a graph from its nodes' names, and finds the value that a layer's name stands for.
import { closest, PipiloError } from '../../base/index.ts'
import { elementCount } from '../../tensor/index.ts'
import { KIND_KEY } from '../builder.ts'
import { roleOf } from '../roles.ts'
import type { Graph, Layer, Node } from '../types.ts'
import { defined, infoOf, reads, subgraphs, typeOf } from './walk.ts'

/** A scope while it is collected. */
interface Scope {
  readonly name: string
  /** Indices of its nodes, but for those inside sub-graphs. */
  readonly nodes: number[]
  readonly ops: string[]
  kind?: string
  parameters: number
  inner: boolean
}

/**
 * The layers of a graph: each scope, outer ones before inner ones, in the order of computation.
 *
 * @example
 * ```ts
 * layers(graph) // [{ name: 'embeddings', kind: 'BertEmbeddings', shape: ['batch', 'sequence', 384], parameters: 11_918_592, … }, …]
 * ```
 *
 * @remarks
 * Scopes come from the nodes' names: `encoder.layer.0.output/Add` (built here), `/encoder/layer.0/output/Add` (PyTorch's
 * exporter), `model/block_1/Conv2D` (Keras), or the metadata of PyTorch's newer exporter; where that is stripped, from the names of the
 * parameters that its nodes read. Of names that TensorFlow Lite joined by `;` one counts. A node outside of any scope is a
 * layer of its own, named like it, or like its output if it has no name. A scope's value is the last one in it that is
 * read outside of it; its shape is given where the graph knows it (see `inferShapes`). Layers inside `If`, `Loop` and `Scan` are listed too,
 * with `''` for a value: nothing outside can read them.
 *
 * Parameters are the elements of the initializers that have a role (see {@link roleOf}), counted where they are read first.
 */
export function layers(graph: Graph): Layer[] {
  const readers = readersOf(graph)
  return [...collect(graph).values()].map((scope) => {
    const value = scope.nodes.length > 0 ? lastValue(graph, scope, readers) : ''
    const type = typeOf(graph, value)
    return {
      name: scope.name,
      kind: scope.kind ?? kindOf(scope),
      shape: type?.kind === 'tensor' ? type.shape : undefined,
      parameters: scope.parameters,
      value,
    }
  })
}

/**
 * The value that a layer's name stands for.
 *
 * @example
 * ```ts
 * resolveLayer(graph, 'encoder.layer.3') // '/encoder/layer.3/output/LayerNorm/Add_1_output_0'
 * ```
 *
 * @remarks
 * Tried in this order: the exact name of a value (an input's as well), a scope in any of the spellings that {@link layers}
 * reads, the name of a node, the name of an initializer.
 *
 * @throws `LAYER_UNKNOWN` with the closest names
 */
export function resolveLayer(graph: Graph, name: string): string {
  const known = name === '' ? new Set<string>() : defined(graph)
  const constant = graph.initializers.has(name) || graph.sparseInitializers.has(name)
  if (known.has(name) && !constant) return name
  const scopes = collect(graph)
  const scope = scopes.get(name) ?? scopes.get(dotted(name.split('/')))
  if (scope && scope.nodes.length > 0) return lastValue(graph, scope, readersOf(graph))
  const node = name === '' ? undefined : graph.nodes.find((candidate) => candidate.name === name)
  const output = node?.outputs.find((candidate) => candidate !== '')
  if (output) return output
  if (known.has(name)) return name
  if (scope) {
    throw new PipiloError(
      'LAYER_UNKNOWN',
      `The layer ${name} lies inside a branch or a loop, and cannot be read.`,
      {
        input: name,
        hint: 'Choose the node If, Loop or Scan around it, or a layer outside.',
      },
    )
  }
  const near = closest(name, scopes.keys())
  const all = near.length > 0 ? near : closest(name, known)
  const first = [...scopes.keys()].slice(0, 3)
  throw new PipiloError('LAYER_UNKNOWN', `There is no layer ${name}.`, {
    input: name,
    hint:
      all.length > 0
        ? `Did you mean ${all.join(' or ')}?`
        : `The layers begin with ${first.join(', ')}; list them all with layers().`,
  })
}

function collect(graph: Graph): Map<string, Scope> {
  const scopes = new Map<string, Scope>()
  collectInto(scopes, graph, [graph], new Set())
  return scopes
}

/** @param around the graph itself and those around it, in which names are looked up */
function collectInto(
  scopes: Map<string, Scope>,
  graph: Graph,
  around: readonly Graph[],
  counted: Set<string>,
): void {
  for (const [index, node] of graph.nodes.entries()) {
    if (node.op === 'Constant') continue
    let parameters = 0
    for (const name of node.inputs) {
      if (name === '' || counted.has(name)) continue
      counted.add(name)
      parameters += parametersOf(around, name)
    }
    const path = pathOf(node, around)
    const kinds = kindsOf(node, path)
    const names = path.length > 0 ? path : [ownName(node)]
    for (const [depth, name] of names.entries()) {
      const scope = scopes.get(name) ?? { name, nodes: [], ops: [], parameters: 0, inner: false }
      scopes.set(name, scope)
      if (around.length === 1) scope.nodes.push(index)
      scope.ops.push(node.op)
      scope.parameters += parameters
      scope.inner ||= depth < names.length - 1
      const kind = kinds.get(name)
      if (kind) scope.kind = kind
    }
    for (const inner of subgraphs(node)) collectInto(scopes, inner, [inner, ...around], counted)
  }
}

function ownName(node: Node): string {
  return node.name || (node.outputs.find((name) => name !== '') ?? '')
}

function parametersOf(around: readonly Graph[], name: string): number {
  const graph = around.find(({ initializers }) => initializers.has(name))
  const tensor = graph?.initializers.get(name)
  return graph && tensor && roleOf(graph, name) ? elementCount(tensor.shape) : 0
}

/** The scopes around a node, from the outermost: `a`, `a.b`, `a.b.c`. */
function pathOf(node: Node, around: readonly Graph[]): string[] {
  const exported = exportedScopes(node)
  if (exported) return exported.scopes
  const scope = /^node_/.test(node.name)
    ? parameterScope(node, around)
    : dotted(ownPart(node).split('/').slice(0, -1))
  if (scope === '') return []
  const parts = scope.split('.')
  return parts.map((_, i) => parts.slice(0, i + 1).join('.'))
}

/** The module whose parameter a node reads: `layer1.0.conv1` of `layer1.0.conv1.weight`. */
function parameterScope({ inputs }: Node, around: readonly Graph[]): string {
  const parameter = inputs.find(
    (name) => name.includes('.') && around.some(({ initializers }) => initializers.has(name)),
  )
  return parameter?.slice(0, parameter.lastIndexOf('.')) ?? ''
}

/** The part of a name that TensorFlow Lite joined of several operators' by `;`: that of the product, else the first. */
function ownPart({ name, op }: Node): string {
  if (!name.includes(';')) return name
  const parts = name.split(';')
  const product = /^(Conv|ConvTranspose|MatMul|Gemm)$/.test(op)
  return (product ? parts.find(namesProduct) : undefined) ?? parts[0]!
}

function namesProduct(part: string): boolean {
  const slash = part.lastIndexOf('/')
  const last = part.slice(slash + 1)
  return slash >= 0 && /^\w+$/.test(last) && (/conv/i.test(last) || /^MatMul(_\d+)?$/i.test(last))
}

/** `['', 'layer1', 'layer1.0', 'conv1']` is `layer1.0.conv1`: PyTorch repeats the container's name before an index. */
function dotted(segments: readonly string[]): string {
  const kept: string[] = []
  for (const segment of segments) {
    if (segment === '') continue
    const last = kept.at(-1)
    if (last !== undefined && segment.startsWith(`${last}.`)) kept.pop()
    kept.push(segment)
  }
  return kept.join('.')
}

/** Scopes that the exporter of PyTorch 2 (dynamo) writes into a node's metadata: lists in Python's spelling. */
function exportedScopes(node: Node): { scopes: string[]; kinds: string[] } | undefined {
  const scopes = pythonList(node.metadata?.get('pkg.torch.onnx.name_scopes'))
  if (!scopes) return undefined
  const kinds = pythonList(node.metadata?.get('pkg.torch.onnx.class_hierarchy')) ?? []
  // The first entry is the model itself, the last the operator.
  const inner = scopes.slice(0, -1)
  const named = inner.map((scope, i) => ({ scope, kind: kinds[i] ?? '' })).filter(({ scope }) => scope !== '')
  return {
    scopes: named.map(({ scope }) => scope),
    kinds: named.map(({ kind }) => kind.split('.').at(-1) ?? ''),
  }
}

function pythonList(text: string | undefined): string[] | undefined {
  if (!text?.startsWith('[')) return undefined
  return [...text.matchAll(/'((?:[^'\\]|\\[\s\S]?)*)(?:'|$)|"((?:[^"\\]|\\[\s\S]?)*)(?:"|$)/g)].map(
    (match) => match[1] ?? match[2] ?? '',
  )
}

/** Kinds of modules by scope, as the builder or PyTorch's exporter noted them. */
function kindsOf(node: Node, path: readonly string[]): Map<string, string> {
  const kinds = new Map<string, string>()
  const exported = exportedScopes(node)
  for (const [i, scope] of exported?.scopes.entries() ?? []) {
    const kind = exported?.kinds[i]
    if (kind) kinds.set(scope, kind)
  }
  for (const entry of node.metadata?.get(KIND_KEY)?.split(' ') ?? []) {
    const [drop, kind] = entry.split(':')
    const scope = path.at(-1 - Number(drop))
    if (scope && kind) kinds.set(scope, kind)
  }
  return kinds
}

/** A module's kind by its operators: that of a Linear layer, else the last that computes. */
function kindOf(scope: Scope): string {
  const { ops } = scope
  const linear = ops.every((op) => ['MatMul', 'Add', 'Gemm', 'Transpose'].includes(op))
  if (!scope.inner && linear && ops.length > 1 && scope.parameters > 0) return 'Linear'
  return ops.at(-1) ?? ''
}

/** Indices of the nodes that read each value; the graph's end counts as one more node. */
function readersOf(graph: Graph): ReadonlyMap<string, readonly number[]> {
  const readers = new Map<string, number[]>()
  const add = (name: string, index: number) => {
    const list = readers.get(name)
    if (list) list.push(index)
    else readers.set(name, [index])
  }
  for (const [index, node] of graph.nodes.entries()) for (const name of reads(node)) add(name, index)
  for (const { name } of graph.outputs) add(name, graph.nodes.length)
  return readers
}

/**
 * The last value of a scope that something outside of it reads, passing over sizes and masks where types are known.
 */
function lastValue(graph: Graph, scope: Scope, readers: ReadonlyMap<string, readonly number[]>): string {
  const inside = new Set(scope.nodes)
  let fallback: string | undefined
  for (const index of scope.nodes.toReversed()) {
    for (const name of graph.nodes[index]!.outputs) {
      if (name === '' || !readers.get(name)?.some((reader) => !inside.has(reader))) continue
      const type = infoOf(graph, name)?.type
      if (type?.kind !== 'tensor' || /float/.test(type.dtype)) return name
      fallback ??= name
    }
  }
  const last = graph.nodes[scope.nodes.at(-1)!]!
  return fallback ?? last.outputs.find((name) => name !== '') ?? ''
}
