/** Builds graphs: values, scopes and nodes whose types are inferred as they are added. */
import { closest, PipiloError } from '../base/index.ts'
import { type DType, float32ToFloat16, type Tensor, tensor } from '../tensor/index.ts'
import { inferFacts } from './inference/infer.ts'
import { Call, type Fact, factOf } from './inference/rule.ts'
import { ruleOf } from './inference/table.ts'
import { mergedFunctions, mergedOpsets } from './passes/compose.ts'
import { captured, defined, subgraphs } from './passes/walk.ts'
import { constantName, UPDATES_KEY } from './roles.ts'
import type {
  Attribute,
  Graph,
  GraphFunction,
  Initializer,
  Node,
  Shape,
  ValueInfo,
  ValueType,
} from './types.ts'

/** A value of a graph that is being built. */
export class Value {
  readonly builder: Builder
  #name: string
  readonly #fact: Fact

  /** Made by {@link Builder}; not to be called directly. */
  constructor(builder: Builder, name: string, fact: Fact) {
    this.builder = builder
    this.#name = name
    this.#fact = fact
  }

  /** Its name in the graph; `builder.output` may change it. */
  get name(): string {
    return this.#name
  }

  /** Its type, `undefined` where inference does not know it. */
  get type(): ValueType | undefined {
    return this.#fact.type
  }

  /** Its type, and the elements of small integer tensors, as far as inference knows them. */
  get fact(): Fact {
    return this.#fact
  }

  /** @throws PipiloError `GRAPH_INVALID` when it is no tensor, or of unknown type (only in graphs read from files). */
  get dtype(): DType {
    const { type } = this.#fact
    if (type?.kind !== 'tensor') throw this.#unknown('dtype')
    return type.dtype
  }

  /** @throws PipiloError `GRAPH_INVALID` when its rank is unknown (only in graphs read from files). */
  get shape(): Shape {
    const { type } = this.#fact
    if (type?.kind !== 'tensor' || !type.shape) throw this.#unknown('shape')
    return type.shape
  }

  /** For {@link Builder} alone. */
  rename(name: string): void {
    this.#name = name
  }

  #unknown(what: string): PipiloError {
    return new PipiloError('GRAPH_INVALID', `The ${what} of ${JSON.stringify(this.#name)} is not known.`, {
      input: this.#name,
      hint: 'An operator before it has no shape rule: give the value a type in graph.values.',
    })
  }
}

export interface BuilderOptions {
  /** Name of the graph. Default `graph`. */
  readonly name?: string
  /** Version of the standard operator set. Default 17. */
  readonly opset?: number
  /** Name of a scope's layer, from the scope's path; `''` for no layer. Default: the path. */
  readonly layerName?: (path: string) => string
}

/** The node that {@link Builder.node} adds. */
export interface NodeOptions {
  /** Operator's domain. Default `''`, ONNX's own. */
  readonly domain?: string
  /** Number of outputs. Default 1. */
  readonly outputs?: number
  /** Their types, for operators without a shape rule. */
  readonly types?: readonly ValueType[]
}

/** Options of {@link Builder.copy}. */
export interface CopyOptions {
  /** Name here of the node and of its outputs, from the one that it had. Where that is taken, a number is put behind it. */
  readonly name: (name: string) => string
  /** Type of an output that inference does not know, by its old name. Default: it stays unknown. */
  readonly type?: (output: string) => ValueType | undefined
}

/** Options of {@link Builder.scope}. */
export interface ScopeOptions {
  /** The module's kind, as the list of layers shows it: `Linear`, `Conv2d`, `BertLayer`. */
  readonly kind?: string
}

/** Key of a node's metadata: the kinds of the scopes around it, `<trailing path segments to drop>:<kind>` each. */
export const KIND_KEY = 'pipilo.kind'

interface Draft {
  readonly node: Omit<Node, 'inputs' | 'outputs'>
  readonly inputs: readonly (Value | undefined)[]
  readonly outputs: readonly (Value | undefined)[]
}

/**
 * Builds a graph.
 *
 * @example
 * ```ts
 * const b = new Builder({ name: 'mlp' })
 * const x = b.input('x', 'float32', ['batch', 4])
 * const w = b.initializer('fc.weight', { dtype: 'float32', shape: [4, 2], data })
 * b.output('y', b.scope('fc', { kind: 'Linear' }, () => op.matMul(x, w)))
 * const graph = b.build()
 * ```
 *
 * @remarks
 * A node is named `<scope>/<operator>` (`encoder.layer.0.output/Add`, then `…/Add_2`), its first output likewise, further
 * outputs `…:1`. Types are inferred node by node; a mistake throws `SHAPE_MISMATCH` or `DTYPE_MISMATCH` at once.
 */
export class Builder {
  readonly #base: Graph
  readonly #inputs: ValueInfo[] = []
  readonly #outputs: { value: Value; info?: ValueInfo }[] = []
  readonly #drafts: Draft[] = []
  readonly #initializers = new Map<string, Initializer>()
  readonly #values = new Map<string, Value>()
  /** Metadata of initializers. */
  readonly #said = new Map<string, ReadonlyMap<string, string>>()
  readonly #produced = new Set<Value>()
  readonly #nodeNames = new Set<string>()
  readonly #counts = new Map<string, number>()
  #opsets: ReadonlyMap<string, number>
  #functions: readonly GraphFunction[]
  /** Latest value of what was updated, by its name. */
  readonly #latest = new Map<string, Value>()
  /** Names that sub-graphs see from outside: those values keep their names. */
  readonly #captured = new Set<string>()
  /** Names inside sub-graphs: new values must not take them. */
  readonly #inner = new Set<string>()
  readonly #layerName: (path: string) => string = (path) => path
  #scope: readonly { readonly path: string; readonly layer: string; readonly kind: string | undefined }[] = []

  constructor(options: BuilderOptions | Graph = {}) {
    if ('nodes' in options) {
      this.#base = options
      this.#opsets = new Map(options.opsets)
      this.#functions = options.functions
      return
    }
    this.#base = {
      name: options.name ?? 'graph',
      inputs: [],
      outputs: [],
      nodes: [],
      initializers: new Map(),
      sparseInitializers: new Map(),
      values: new Map(),
      opsets: new Map(),
      functions: [],
      metadata: new Map(),
      irVersion: 8,
    }
    this.#opsets = new Map([['', options.opset ?? 17]])
    this.#functions = []
    if (options.layerName) this.#layerName = options.layerName
  }

  /**
   * Extends a graph: `b.value(name)` finds its values, new names never clash with its own.
   *
   * @param options.outputs `keep` (the default) its outputs, or `clear` all but the updates of buffers
   */
  static from(graph: Graph, options: { readonly outputs?: 'keep' | 'clear' } = {}): Builder {
    const builder = new Builder(graph)
    const facts = inferFacts(graph)
    builder.#adopt(graph, facts, options.outputs ?? 'keep')
    return builder
  }

  /** Version of the standard operator set. */
  get opset(): number {
    return this.#opsets.get('') ?? this.#opsets.get('ai.onnx') ?? 17
  }

  /** The current scope's path; `''` outside. */
  get path(): string {
    return this.#scope.at(-1)?.path ?? ''
  }

  /** Adds an input; `metadata` says something about it to those who feed it. */
  input(name: string, dtype: DType, shape: Shape, metadata?: ReadonlyMap<string, string>): Value {
    this.#claim(name)
    const type: ValueType = { kind: 'tensor', dtype, shape }
    this.#inputs.push({ name, type, ...(metadata ? { metadata } : {}) })
    return this.#define(name, { type })
  }

  /** Adds a tensor of the graph: a weight, in memory or left in its file; `metadata` says something about it (its role). */
  initializer(name: string, tensor: Initializer, metadata?: ReadonlyMap<string, string>): Value {
    this.#claim(name)
    this.#initializers.set(name, tensor)
    if (metadata) this.#said.set(name, metadata)
    return this.#define(name, factOf(tensor))
  }

  /**
   * A small constant, made once however often it is asked for. Numbers become a scalar, arrays a vector.
   *
   * @param dtype default `int64`
   */
  constant(value: number | boolean | readonly number[] | Tensor, dtype: DType = 'int64'): Value {
    if (typeof value === 'object' && 'data' in value) {
      return this.initializer(this.#fresh(constantName('tensor')), value)
    }
    const scalar = typeof value !== 'object'
    const elements = scalar ? [Number(value)] : value
    const text = constantName(`${dtype}${scalar ? `(${elements[0]})` : `[${elements}]`}`)
    const known = text.length <= 80 ? this.#values.get(text) : undefined
    if (known) return known
    const name = text.length <= 80 ? text : this.#fresh(constantName(dtype))
    const bits = dtype === 'float16' ? float32ToFloat16(Float32Array.from(elements)) : undefined
    const shape = scalar ? [] : [elements.length]
    return this.initializer(name, bits ? { dtype, shape, data: bits } : tensor(dtype, shape, elements))
  }

  /**
   * Runs `build` with names below `path`: scopes nest, joined by dots.
   *
   * @example
   * ```ts
   * b.scope('encoder', () => b.scope('layer.0', { kind: 'BertLayer' }, () => …))
   * ```
   */
  scope<T>(path: string, build: () => T): T
  scope<T>(path: string, options: ScopeOptions, build: () => T): T
  scope<T>(path: string, options: ScopeOptions | (() => T), build?: () => T): T {
    const body = typeof options === 'function' ? options : build!
    const kind = typeof options === 'function' ? undefined : options.kind
    const outer = this.#scope
    const whole = outer.length ? `${this.path}.${path}` : path
    this.#scope = [...outer, { path: whole, layer: this.#layerName(whole), kind }]
    try {
      return body()
    } finally {
      this.#scope = outer
    }
  }

  /** Runs `build` outside of all scopes: for what several layers share. */
  outermost<T>(build: () => T): T {
    const inner = this.#scope
    this.#scope = []
    try {
      return build()
    } finally {
      this.#scope = inner
    }
  }

  /**
   * Adds a node, with its types inferred. The functions of `op` call this; call it for operators that have none.
   *
   * @throws PipiloError `SHAPE_MISMATCH`, `DTYPE_MISMATCH`
   */
  node(
    op: string,
    inputs: readonly (Value | undefined)[],
    attributes: Readonly<Record<string, Attribute>> = {},
    options: NodeOptions = {},
  ): Value[] {
    for (const input of inputs) if (input) this.#own(input)
    const domain = options.domain ?? ''
    const layer = this.#scope.at(-1)?.layer ?? ''
    const name = this.#nodeName(layer ? `${layer}/${op}` : op)
    const names = Array.from({ length: options.outputs ?? 1 }, (_, i) =>
      this.#fresh(i === 0 ? name : `${name}:${i}`),
    )
    const facts = this.#infer({ op, domain, name, attributes, outputs: names }, inputs, options.types)
    if (domain !== '' && !this.#opsets.has(domain)) this.#opsets = new Map([...this.#opsets, [domain, 1]])
    const outputs = names.map((output, i) => this.#define(output, facts[i] ?? {}))
    // Copies: the caller may change his arrays.
    const made = { name, op, domain, attributes, ...this.#metadata() }
    this.#add({ node: made, inputs: [...inputs], outputs: [...outputs] })
    for (const inner of subgraphs({ name, op, domain, attributes, inputs: [], outputs: [] }))
      this.#note(inner)
    return outputs
  }

  /**
   * Adds a node of another graph with its attributes and what is said of it; graphs inside it must name the values of this builder
   * already. {@link include} adds whole graphs with it.
   *
   * @returns its outputs, `undefined` for those left out
   */
  copy(node: Node, inputs: readonly (Value | undefined)[], options: CopyOptions): (Value | undefined)[] {
    for (const input of inputs) if (input) this.#own(input)
    for (const inner of subgraphs(node)) this.#note(inner)
    const wanted = node.outputs.map((output) => output && options.name(output))
    const name = this.#nodeName(options.name(node.name))
    const names = wanted.map((output) => output && this.#fresh(output))
    const facts = this.#infer({ ...node, name, outputs: names }, inputs, undefined)
    const outputs = names.map((output, i) => {
      const fact = facts[i]?.type ? facts[i] : { ...facts[i], type: options.type?.(node.outputs[i]!) }
      return output === '' ? undefined : this.#define(output, fact)
    })
    const { inputs: _, outputs: __, ...rest } = node
    this.#add({ node: { ...rest, name }, inputs: [...inputs], outputs: [...outputs] })
    return outputs
  }

  /**
   * Takes over the operator sets and functions of a graph whose nodes are to be added.
   *
   * @throws PipiloError `GRAPH_INVALID` if they differ from those here
   */
  require(graph: Pick<Graph, 'opsets' | 'functions'>): void {
    this.#opsets = mergedOpsets(this.#opsets, graph.opsets)
    this.#functions = mergedFunctions(this.#functions, graph.functions)
  }

  /** The tensor of an initializer; `undefined` for names of other values, or of none. */
  tensor(name: string): Initializer | undefined {
    return this.#initializers.get(name)
  }

  /** True if a value or a node has this name, or one inside a node's own graph. */
  taken(name: string): boolean {
    return this.#nodeNames.has(name) || this.#taken(name)
  }

  /** The value of this name. @throws PipiloError `LAYER_UNKNOWN` with the closest names */
  value(name: string): Value {
    const value = this.#values.get(name)
    if (value) return value
    const near = closest(name, [...this.#values.keys()])
    throw new PipiloError('LAYER_UNKNOWN', `There is no value ${JSON.stringify(name)}.`, {
      input: name,
      ...(near.length
        ? { hint: `Did you mean ${near.map((other) => JSON.stringify(other)).join(' or ')}?` }
        : {}),
    })
  }

  /** True if a value has this name. */
  has(name: string): boolean {
    return this.#values.has(name)
  }

  /**
   * Makes a value an output called `name`. The node that produces it then writes to that name; an `Identity` is added
   * only for what has to keep its own name (inputs, initializers, values that are outputs already).
   *
   * @param metadata what it says to those who fetch it
   */
  output(name: string, value: Value, metadata?: ReadonlyMap<string, string>): Value {
    this.#own(value)
    let result = value
    if (value.name !== name) {
      const isOutput = this.#outputs.some((output) => output.value === value)
      if (!this.#produced.has(value) || isOutput || this.#captured.has(value.name)) {
        result = this.node('Identity', [value])[0]!
      }
      this.#free(name)
      this.#values.delete(result.name)
      result.rename(name)
      this.#values.set(name, result)
    } else if (this.#outputs.some((output) => output.value === value)) {
      return value
    }
    this.#outputs.push({ value: result, ...(metadata ? { info: { name, metadata } } : {}) })
    return result
  }

  /**
   * Makes a value the next one of the input or initializer `name`: the output `<name>.next`, whose metadata names it (`updatesOf`).
   * A second update takes the place of the first: it is to be made from {@link latest}, as in a program that writes one variable twice.
   */
  update(name: string, next: Value): Value {
    this.#own(next)
    const last = this.#latest.get(name)
    const at = this.#outputs.findIndex(({ value }) => value === last)
    if (last && at >= 0) this.#outputs.splice(at, 1)
    const output = this.output(`${name}.next`, next, new Map([[UPDATES_KEY, name]]))
    this.#latest.set(name, output)
    return output
  }

  /** The value of an input or initializer after all updates so far; itself where there was none. */
  latest(name: string): Value {
    return this.#latest.get(name) ?? this.value(name)
  }

  /** The graph so far. Initializers that nothing reads are left out: the runtime warns about them. */
  build(): Graph {
    const used = new Set(this.#captured)
    for (const { inputs } of this.#drafts) for (const input of inputs) if (input) used.add(input.name)
    for (const { value } of this.#outputs) used.add(value.name)
    const outer = new Set([
      ...this.#inputs.map(({ name }) => name),
      ...this.#outputs.map(({ value }) => value.name),
    ])
    const unused = (name: string) => this.#initializers.has(name) && !used.has(name)
    const values = new Map([...this.#base.values].filter(([name]) => this.#values.has(name) && !unused(name)))
    for (const [name, metadata] of this.#said) if (used.has(name)) values.set(name, { name, metadata })
    for (const value of this.#produced) {
      if (outer.has(value.name)) values.delete(value.name)
      else if (value.type)
        values.set(value.name, { ...values.get(value.name), name: value.name, type: value.type })
    }
    return {
      ...this.#base,
      inputs: [...this.#inputs],
      // Users' outputs come first, wherever in the network a buffer was updated.
      outputs: this.#outputs
        .map(({ value, info }) => ({
          ...info,
          name: value.name,
          ...(value.type ? { type: value.type } : {}),
        }))
        .sort((a, b) => Number(isUpdate(a)) - Number(isUpdate(b))),
      nodes: this.#drafts.map(({ node, inputs, outputs }) => ({
        ...node,
        inputs: inputs.map((input) => input?.name ?? ''),
        outputs: outputs.map((output) => output?.name ?? ''),
      })),
      initializers: new Map([...this.#initializers].filter(([name]) => used.has(name))),
      values,
      opsets: new Map(this.#opsets),
      functions: this.#functions,
      // Before version 4 every initializer had to be an input too.
      irVersion: Math.max(this.#base.irVersion ?? 8, 4),
    }
  }

  #adopt(graph: Graph, facts: ReadonlyMap<string, Fact>, outputs: 'keep' | 'clear'): void {
    for (const inner of graph.nodes.flatMap(subgraphs)) this.#note(inner)
    for (const info of graph.inputs) {
      this.#inputs.push(info)
      this.#define(info.name, facts.get(info.name) ?? {})
    }
    for (const [name, initializer] of graph.initializers) {
      this.#initializers.set(name, initializer)
      if (!this.#values.has(name)) this.#define(name, factOf(initializer))
    }
    for (const [name, { values, shape }] of graph.sparseInitializers) {
      if (!this.#values.has(name))
        this.#define(name, { type: { kind: 'tensor', dtype: values.dtype, shape } })
    }
    for (const { inputs, outputs: results, ...node } of graph.nodes) {
      const values = inputs.map((name) => (name === '' ? undefined : this.#values.get(name)))
      const missing = values.findIndex((value, i) => !value && inputs[i] !== '')
      if (missing >= 0) {
        throw new PipiloError(
          'GRAPH_INVALID',
          `${node.op} at ${JSON.stringify(node.name)} reads ${JSON.stringify(inputs[missing])}, which nothing before it makes.`,
          { input: node.name },
        )
      }
      this.#nodeNames.add(node.name)
      const made = results.map((name) =>
        name === '' ? undefined : this.#define(name, facts.get(name) ?? {}),
      )
      this.#add({ node, inputs: values, outputs: made })
    }
    for (const info of graph.outputs.filter((one) => outputs === 'keep' || isUpdate(one))) {
      const value = this.value(info.name)
      this.#outputs.push({ value, info })
      const updated = info.metadata?.get(UPDATES_KEY)
      if (updated !== undefined) this.#latest.set(updated, value)
    }
  }

  /** Notes the names that a graph inside a node sees and gives. */
  #note(inner: Graph): void {
    for (const name of captured(inner)) this.#captured.add(name)
    for (const name of definedWithin(inner)) this.#inner.add(name)
  }

  #add(draft: Draft): void {
    this.#drafts.push(draft)
    for (const output of draft.outputs) if (output) this.#produced.add(output)
  }

  #define(name: string, fact: Fact): Value {
    const value = new Value(this, name, fact)
    this.#values.set(name, value)
    return value
  }

  #infer(
    node: Call['node'],
    inputs: readonly (Value | undefined)[],
    types: readonly ValueType[] | undefined,
  ): readonly (Fact | undefined)[] {
    if (types) return types.map((type) => ({ type }))
    const call = new Call(
      node,
      inputs.map((input) => input?.fact),
      this.#opsets.get(node.domain) ?? this.opset,
    )
    return ruleOf(node.domain, node.op)?.(call) ?? []
  }

  #metadata(): { metadata?: ReadonlyMap<string, string> } {
    const kinds: string[] = []
    const depth = (layer = '') => layer.split('.').length
    for (const { layer, kind } of this.#scope) {
      if (kind && layer) kinds.unshift(`${depth(this.#scope.at(-1)?.layer) - depth(layer)}:${kind}`)
    }
    return kinds.length ? { metadata: new Map([[KIND_KEY, kinds.join(' ')]]) } : {}
  }

  #own(value: Value): void {
    if (value.builder === this) return
    throw new PipiloError('GRAPH_INVALID', `The value ${JSON.stringify(value.name)} is of another builder.`, {
      input: value.name,
    })
  }

  /** Takes a name that the caller chose. */
  #claim(name: string): void {
    if (name !== '' && !this.#taken(name)) return
    throw new PipiloError('GRAPH_INVALID', `The name ${JSON.stringify(name)} is empty or taken.`, {
      input: name,
    })
  }

  /** Frees a name for an output: an inner value that has it gets another. */
  #free(name: string): void {
    const holder = this.#values.get(name)
    if (!holder) return
    const fixed = this.#outputs.some(({ value }) => value === holder) || this.#captured.has(name)
    if (fixed || !this.#produced.has(holder)) this.#claim(name)
    holder.rename(this.#fresh(name))
    this.#values.set(holder.name, holder)
  }

  /** `name`, or `name_2`, … where that is taken. */
  #fresh(name: string): string {
    return this.#unique(name, (candidate) => this.#taken(candidate))
  }

  #taken(name: string): boolean {
    return this.#values.has(name) || this.#captured.has(name) || this.#inner.has(name)
  }

  #nodeName(name: string): string {
    const taken = (candidate: string) => this.#nodeNames.has(candidate) || this.#taken(candidate)
    const unique = this.#unique(name, taken)
    this.#nodeNames.add(unique)
    return unique
  }

  #unique(name: string, taken: (name: string) => boolean): string {
    let candidate = name
    for (let i = this.#counts.get(name) ?? 1; taken(candidate); ) {
      i++
      candidate = `${name}_${i}`
      this.#counts.set(name, i)
    }
    return candidate
  }
}

function isUpdate({ metadata }: ValueInfo): boolean {
  return metadata?.has(UPDATES_KEY) ?? false
}

/** Names that a sub-graph and those inside it define. */
function definedWithin(graph: Graph): string[] {
  return [...defined(graph), ...graph.nodes.flatMap(subgraphs).flatMap(definedWithin)]
}
