// Pass that joins two graphs: outputs of the first become inputs of the second.
import { PipiloError } from '../../base/index.ts'
import type { Dimension, Graph, GraphFunction, Node, Shape, ValueInfo, ValueType } from '../types.ts'
import { allValues, renameValues } from './rename.ts'
import { functionKey, mapSubgraphs, typeOf } from './walk.ts'

export interface ComposeOptions {
  /** Put before names of the second graph that the first one uses as well. Default: the second graph's name and a dot. */
  readonly prefix?: string
  /** Inputs of the second graph that are the first one's of the same name. Default: none, they stay apart. */
  readonly share?: readonly string[]
}

/**
 * Two graphs as one: outputs of the first become inputs of the second.
 *
 * @example
 * ```ts
 * compose(encoder, classifier, { last_hidden_state: 'features' })
 * ```
 *
 * @remarks
 * Inputs are those of `a`, then those of `b` that nothing feeds; outputs are those of `a` that feed nothing, then those of
 * `b`. Symbols unify where a size of `a` meets one of `b`; other symbols of `b` are told apart from those of `a`.
 *
 * @throws `LAYER_UNKNOWN` for a name that is no output or input, `SHAPE_MISMATCH`, `DTYPE_MISMATCH`, `GRAPH_INVALID` if the
 *   graphs need different versions of an operator set or have different functions of one name
 */
export function compose(
  a: Graph,
  b: Graph,
  connections: Readonly<Record<string, string>>,
  options: ComposeOptions = {},
): Graph {
  const pairs = Object.entries(connections)
  const unified = new Map<string, Dimension>()
  for (const [output, input] of pairs) {
    const from = find(a.outputs, output, 'output', 'first')
    const to = find(b.inputs, input, 'input', 'second')
    unify(from, typeOf(a, output), to.name, to.type, unified)
  }
  const shared = (options.share ?? []).map((name) => {
    const ours = find(a.inputs, name, 'input', 'first')
    const theirs = find(b.inputs, name, 'input', 'second')
    unify(ours, ours.type, name, theirs.type, unified)
    return name
  })
  const left = mapSymbols(a, (symbol) => unified.get(`a:${symbol}`) ?? symbol)
  const fed = new Map([
    ...pairs.map(([output, input]) => [input, output] as const),
    ...shared.map((n) => [n, n] as const),
  ])
  // An input that is fed needs no default value any more.
  const defaults = new Map([...b.initializers].filter(([name]) => !fed.has(name)))
  const second = symbolsApart(left, { ...b, initializers: defaults }, unified)
  const right = apart(left, second, fed, options.prefix ?? `${b.name || 'second'}.`)
  const used = new Set(pairs.map(([output]) => output))
  const bInputs = right.inputs.filter((_, i) => !fed.has(b.inputs[i]!.name))
  const outputs = [...left.outputs.filter(({ name }) => !used.has(name)), ...right.outputs]
  const values = new Map([...left.values, ...right.values])
  for (const info of left.outputs) if (used.has(info.name)) values.set(info.name, info)
  for (const { name } of outputs) values.delete(name)
  const irVersion = Math.max(left.irVersion ?? 0, right.irVersion ?? 0)
  return {
    ...left,
    inputs: [...left.inputs, ...bInputs],
    outputs,
    nodes: [...left.nodes, ...right.nodes],
    initializers: new Map([...left.initializers, ...right.initializers]),
    sparseInitializers: new Map([...left.sparseInitializers, ...right.sparseInitializers]),
    values,
    opsets: mergedOpsets(a.opsets, b.opsets),
    functions: mergedFunctions(a.functions, b.functions),
    metadata: new Map([...b.metadata, ...a.metadata]),
    ...(irVersion > 0 && { irVersion }),
  }
}

function find(list: readonly ValueInfo[], name: string, role: string, which: string): ValueInfo {
  const info = list.find((candidate) => candidate.name === name)
  if (info) return info
  const names = list.map((candidate) => candidate.name).join(', ')
  throw new PipiloError('LAYER_UNKNOWN', `${name} is no ${role} of the ${which} graph.`, {
    input: name,
    hint: `It has ${names || 'none'}.`,
  })
}

/** Notes in `unified` what each symbol becomes: keys are `a:batch` and `b:batch`. */
function unify(
  from: ValueInfo,
  type: ValueType | undefined,
  input: string,
  wanted: ValueType | undefined,
  unified: Map<string, Dimension>,
): void {
  if (type?.kind !== 'tensor' || wanted?.kind !== 'tensor') return
  const what = `Output ${from.name} cannot be input ${input}`
  if (type.dtype !== wanted.dtype) {
    throw new PipiloError('DTYPE_MISMATCH', `${what}: it is ${type.dtype}, not ${wanted.dtype}.`)
  }
  if (!type.shape || !wanted.shape) return
  const mismatch = new PipiloError(
    'SHAPE_MISMATCH',
    `${what}: its shape is [${type.shape.join(', ')}], not [${wanted.shape.join(', ')}].`,
  )
  if (type.shape.length !== wanted.shape.length) throw mismatch
  for (const [i, raw] of type.shape.entries()) {
    const ours = typeof raw === 'string' ? (unified.get(`a:${raw}`) ?? raw) : raw
    const theirRaw = wanted.shape[i]!
    const theirs = typeof theirRaw === 'string' ? (unified.get(`b:${theirRaw}`) ?? theirRaw) : theirRaw
    if (typeof ours === 'number' && typeof theirs === 'number' && ours !== theirs) throw mismatch
    const one = typeof theirs === 'number' ? theirs : ours
    if (one === '') continue
    if (typeof raw === 'string' && raw !== '' && raw !== one) unified.set(`a:${raw}`, one)
    if (typeof theirRaw === 'string' && theirRaw !== '') unified.set(`b:${theirRaw}`, one)
  }
}

/** The second graph's symbols: unified ones replaced, others that the first graph uses as well given other names. */
function symbolsApart(a: Graph, b: Graph, unified: ReadonlyMap<string, Dimension>): Graph {
  const taken = new Set<string>()
  mapSymbols(a, (symbol) => {
    taken.add(symbol)
    return symbol
  })
  const fresh = new Map<string, string>()
  return mapSymbols(b, (symbol) => {
    const same = unified.get(`b:${symbol}`)
    if (same !== undefined) return typeof same === 'string' ? (unified.get(`a:${same}`) ?? same) : same
    if (!taken.has(symbol)) return symbol
    const known = fresh.get(symbol)
    if (known) return known
    let name = `${symbol}_2`
    for (let n = 3; taken.has(name); n++) name = `${symbol}_${n}`
    fresh.set(symbol, name)
    return name
  })
}

function mapSymbols(graph: Graph, change: (symbol: string) => Dimension): Graph {
  const shapeOf = (shape: Shape): Shape =>
    shape.map((size) => (typeof size === 'string' && size !== '' ? change(size) : size))
  const typed = (type: ValueType): ValueType => {
    switch (type.kind) {
      case 'tensor':
      case 'sparse_tensor':
        return type.shape ? { ...type, shape: shapeOf(type.shape) } : type
      case 'sequence':
      case 'optional':
        return { ...type, element: typed(type.element) }
      case 'map':
        return { ...type, value: typed(type.value) }
      case 'opaque':
        return type
    }
  }
  const info = (value: ValueInfo): ValueInfo => (value.type ? { ...value, type: typed(value.type) } : value)
  return {
    ...graph,
    inputs: graph.inputs.map(info),
    outputs: graph.outputs.map(info),
    values: new Map([...graph.values].map(([name, value]) => [name, info(value)])),
    nodes: graph.nodes.map((node) => mapSubgraphs(node, (inner) => mapSymbols(inner, change))),
  }
}

/** The second graph with no name of the first's, and the first's names for what that one feeds. */
function apart(a: Graph, b: Graph, fed: ReadonlyMap<string, string>, prefix: string): Graph {
  const taken = allValues(a)
  const own = allValues(b)
  const fresh = (name: string, clash: (candidate: string) => boolean) => {
    let candidate = name
    while (clash(candidate)) candidate = prefix + candidate
    return candidate
  }
  const names = new Map<string, string>()
  for (const name of own) {
    const clashes = (candidate: string) => taken.has(candidate) || (candidate !== name && own.has(candidate))
    names.set(name, fed.get(name) ?? fresh(name, clashes))
  }
  const aNodes = new Set(a.nodes.map(({ name }) => name))
  const renamed = renameAll(b, (name) => names.get(name) ?? name)
  const nodeName = (node: Node) =>
    node.name === '' ? '' : fresh(node.name, (candidate) => aNodes.has(candidate))
  return { ...renamed, nodes: renamed.nodes.map((node) => ({ ...node, name: nodeName(node) })) }
}

/** Every name changed, those that sub-graphs give to their own values as well. */
export function renameAll(graph: Graph, change: (name: string) => string): Graph {
  const outer = renameValues({ ...graph, nodes: [] }, change)
  const to = (name: string) => (name === '' ? '' : change(name))
  const nodes = graph.nodes.map((node) =>
    mapSubgraphs({ ...node, inputs: node.inputs.map(to), outputs: node.outputs.map(to) }, (inner) =>
      renameAll(inner, change),
    ),
  )
  return { ...outer, nodes }
}

/** The operator sets of two graphs in one. @throws PipiloError `GRAPH_INVALID` if they need two versions of one */
export function mergedOpsets(
  a: ReadonlyMap<string, number>,
  b: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const opsets = new Map(a)
  for (const [domain, version] of b) {
    const ours = opsets.get(domain)
    if (ours !== undefined && ours !== version) {
      throw new PipiloError(
        'GRAPH_INVALID',
        `The graphs need different versions of ${domain || 'ai.onnx'}: ${ours} and ${version}.`,
        { hint: 'Export both with the same operator set.' },
      )
    }
    opsets.set(domain, version)
  }
  return opsets
}

/** The functions of two graphs in one. @throws PipiloError `GRAPH_INVALID` if two of one name differ */
export function mergedFunctions(
  a: readonly GraphFunction[],
  b: readonly GraphFunction[],
): readonly GraphFunction[] {
  const byKey = new Map(a.map((fn) => [functionKey(fn.domain, fn.name, fn.overload), fn]))
  const added = b.filter((fn) => {
    const ours = byKey.get(functionKey(fn.domain, fn.name, fn.overload))
    if (ours && ours !== fn) {
      throw new PipiloError('GRAPH_INVALID', `Both graphs have a function ${fn.domain}.${fn.name}.`, {
        hint: 'Give one of them another domain.',
      })
    }
    return !ours
  })
  return [...a, ...added]
}
