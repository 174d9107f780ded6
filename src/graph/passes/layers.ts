// Lists the layers of a graph from its nodes' names, and finds the value that a layer's name stands for.
import { closest, PipiloError } from '../../base/index.ts'
import { elementCount } from '../../tensor/index.ts'
import { KIND_KEY } from '../builder.ts'
import { roleOf } from '../roles.ts'
import type { Graph, Layer, Node } from '../types.ts'
import { defined, infoOf, reads, typeOf } from './walk.ts'

/** A scope while it is collected. */
interface Scope {
  readonly name: string
  readonly nodes: number[]
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
 * exporter), `model/block_1/Conv2D` (Keras), or the metadata of PyTorch's newer exporter. A node outside of any scope is a
 * layer of its own, named like it, or like its output if it has no name. A scope's value is the last one in it that is
 * read outside of it; its shape is given where the graph knows it (see `inferShapes`).
 *
 * Parameters are the elements of the initializers that have a role (see {@link roleOf}), counted where they are read first.
 */
export function layers(graph: Graph): Layer[] {
  const readers = readersOf(graph)
  return [...collect(graph).values()].map((scope) => {
    const value = lastValue(graph, scope, readers)
    const type = typeOf(graph, value)
    return {
      name: scope.name,
      kind: scope.kind ?? kindOf(scope, graph.nodes),
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
  if (scope) return lastValue(graph, scope, readersOf(graph))
  const node = name === '' ? undefined : graph.nodes.find((candidate) => candidate.name === name)
  const output = node?.outputs.find((candidate) => candidate !== '')
  if (output) return output
  if (known.has(name)) return name
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
  const counted = new Set<string>()
  for (const [index, node] of graph.nodes.entries()) {
    if (node.op === 'Constant') continue
    let parameters = 0
    for (const name of reads(node)) {
      if (counted.has(name)) continue
      counted.add(name)
      parameters += parametersOf(graph, name)
    }
    const path = pathOf(node)
    const kinds = kindsOf(node, path)
    const names = path.length > 0 ? path : [ownName(node)]
    for (const [depth, name] of names.entries()) {
      const scope = scopes.get(name) ?? { name, nodes: [], parameters: 0, inner: false }
      scopes.set(name, scope)
      scope.nodes.push(index)
      scope.parameters += parameters
      scope.inner ||= depth < names.length - 1
      const kind = kinds.get(name)
      if (kind) scope.kind = kind
    }
  }
  return scopes
}

function ownName(node: Node): string {
  return node.name || (node.outputs.find((name) => name !== '') ?? '')
}

function parametersOf(graph: Graph, name: string): number {
  const tensor = graph.initializers.get(name)
  return tensor && roleOf(graph, name) ? elementCount(tensor.shape) : 0
}

/** The scopes around a node, from the outermost: `a`, `a.b`, `a.b.c`. */
function pathOf(node: Node): string[] {
  const exported = exportedScopes(node)
  if (exported) return exported.scopes
  const scope = dotted(node.name.split('/').slice(0, -1))
  if (scope === '') return []
  const parts = scope.split('.')
  return parts.map((_, i) => parts.slice(0, i + 1).join('.'))
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
  return [...text.matchAll(/'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"/g)].map(
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
function kindOf(scope: Scope, nodes: readonly Node[]): string {
  const ops = scope.nodes.map((index) => nodes[index]!.op)
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
