// Rewrites nodes of a graph in a pass: finds constant weights, adds nodes and the tensors that they read.
import { type DType, type Tensor, tensor } from '../../tensor/index.ts'
import { captured, defined, reads, subgraphs, typeOf } from '../passes/walk.ts'
import { constantName } from '../roles.ts'
import type { Attribute, Graph, Initializer, Node, Shape, ValueInfo } from '../types.ts'
import type { Derived } from './derived.ts'

/** A constant of floats as the graph reads it: an initializer, perhaps through a Cast to float32 and a Transpose. */
export interface Weight {
  /** Name of the initializer. */
  readonly name: string
  readonly source: Initializer
  /** True if a matrix is read transposed. */
  readonly transposed: boolean
}

/** The nodes and tensors that one pass puts in place of some nodes of a graph. */
export class Rewriter {
  readonly graph: Graph
  /** Tensors that the new nodes read and that are still to be made. */
  readonly derived: Derived[] = []
  readonly initializers = new Map<string, Initializer>()
  readonly values = new Map<string, ValueInfo>()
  readonly #taken: Set<string>
  readonly #nodeNames: Set<string>
  readonly #makers: Map<string, Node>
  readonly #overridable: Set<string>
  readonly #readers = new Map<string, (Node | undefined)[]>()
  readonly #constants = new Map<string, string>()
  readonly #derivedNames = new Map<string, string>()

  constructor(graph: Graph) {
    this.graph = graph
    const inner = graph.nodes.flatMap(subgraphs)
    this.#taken = new Set([
      ...defined(graph),
      ...inner.flatMap(captured),
      ...inner.flatMap((one) => [...defined(one)]),
    ])
    this.#nodeNames = new Set(graph.nodes.map(({ name }) => name))
    this.#makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node])))
    for (const node of graph.nodes) for (const name of new Set(reads(node))) this.#read(name, node)
    for (const { name } of graph.outputs) this.#read(name, undefined)
    this.#overridable = new Set(graph.inputs.map(({ name }) => name))
  }

  /** Version of the standard operator set. */
  get opset(): number {
    return this.graph.opsets.get('') ?? this.graph.opsets.get('ai.onnx') ?? 1
  }

  /** The node that makes a value. */
  maker(name: string): Node | undefined {
    return this.#makers.get(name)
  }

  /** The only node that reads a value; undefined if there are others, or it is an output of the graph. */
  onlyReader(name: string): Node | undefined {
    const readers = this.#readers.get(name) ?? []
    return readers.length === 1 ? readers[0] : undefined
  }

  /** The initializer of this name, if nobody can feed another. */
  constant(name: string): Initializer | undefined {
    return this.#overridable.has(name) ? undefined : this.graph.initializers.get(name)
  }

  /** The constant behind a value that the graph computes with as float32. */
  weight(value: string): Weight | undefined {
    const node = this.#makers.get(value)
    if (!node) {
      const source = this.#overridable.has(value) ? undefined : this.graph.initializers.get(value)
      return source?.dtype === 'float32' ? { name: value, source, transposed: false } : undefined
    }
    const [input = ''] = node.inputs
    if (node.domain !== '') return undefined
    if (node.op === 'Transpose') {
      const weight = this.weight(input)
      if (weight?.source.shape.length !== 2 || !swaps(node)) return undefined
      return { ...weight, transposed: !weight.transposed }
    }
    const source = this.graph.initializers.get(input)
    const half = source?.dtype === 'float16' || source?.dtype === 'bfloat16'
    if (node.op !== 'Cast' || node.attributes['to']?.value !== FLOAT || this.#overridable.has(input))
      return undefined
    return source && half ? { name: input, source, transposed: false } : undefined
  }

  /** Shape of a value, where known. */
  shape(name: string): Shape | undefined {
    const type = this.values.get(name)?.type ?? typeOf(this.graph, name)
    return type?.kind === 'tensor' ? type.shape : undefined
  }

  /**
   * A node beside another, in its scope.
   *
   * @param options.outputs names of its outputs. Default: made from the node's, one for each of `dtypes`; the first is of
   *   `shape`, further ones are scalars
   */
  node(
    beside: Node,
    op: string,
    inputs: readonly string[],
    { attributes = {}, outputs, dtypes = [], shape }: NewNode = {},
  ): Node {
    const scope = beside.name.slice(0, beside.name.lastIndexOf('/') + 1)
    const name = this.#unused(scope + op, this.#nodeNames)
    this.#nodeNames.add(name)
    const made = outputs ?? dtypes.map((_, i) => this.fresh(i === 0 ? name : `${name}:${i}`))
    const types = outputs ? [] : dtypes
    for (const [i, dtype] of types.entries()) {
      const known = i === 0 ? shape : []
      const type = { kind: 'tensor', dtype, ...(known && { shape: known }) } as const
      this.values.set(made[i]!, { name: made[i]!, type })
    }
    const { metadata } = beside
    return { name, op, domain: '', inputs, outputs: made, attributes, ...(metadata && { metadata }) }
  }

  /** A constant number, made once however often it is asked for. */
  scalar(dtype: 'float32' | 'uint8' | 'int8', value: number): string {
    return this.#once(constantName(`${dtype}(${value})`), () => tensor(dtype, [], [value]))
  }

  /** Zero points of int8 weights with a scale a channel: each has its own, as the runtime may make others of them. */
  zeroPoints(of: string, channels: number): string {
    return this.#once(constantName(`int8(0) of ${of}`), () =>
      tensor('int8', [channels], new Int8Array(channels)),
    )
  }

  /** The maximum over the last axis, which stays with size 1. */
  reduceMax(
    x: string,
    add: (op: string, inputs: readonly string[], options?: NewNode) => string,
    shape: Shape | undefined,
  ): string {
    const kept: Attribute = { type: 'int', value: 1 }
    // The axes became an input in version 18.
    if (this.opset < 18) {
      const attributes: Record<string, Attribute> = { axes: { type: 'ints', value: [-1] }, keepdims: kept }
      return add('ReduceMax', [x], { attributes, shape })
    }
    return add('ReduceMax', [x, this.integers([-1])], { attributes: { keepdims: kept }, shape })
  }

  /** A constant list of integers, made once. */
  integers(values: readonly number[]): string {
    return this.#once(constantName(`int64[${values}]`), () => tensor('int64', [values.length], values))
  }

  /** A constant table of numbers, made once under its name. */
  table(name: string, shape: readonly number[], numbers: () => Float32Array): string {
    return this.#once(constantName(name), () => tensor('float32', shape, numbers()))
  }

  #once(key: string, make: () => Tensor): string {
    const known = this.#constants.get(key)
    if (known !== undefined) return known
    const name = this.fresh(key)
    this.#constants.set(key, name)
    this.initializers.set(name, make())
    return name
  }

  /** A name like this one that no value has yet. */
  fresh(wanted: string): string {
    const name = this.#unused(wanted, this.#taken)
    this.#taken.add(name)
    return name
  }

  /** Adds a tensor that is still to be made, and returns its name; what was made by this recipe before is used again. */
  derive(derived: Derived): string {
    const key = `${derived.recipe} ${derived.name}`
    const known = this.#derivedNames.get(key)
    if (known) return known
    const name = this.fresh(derived.name)
    this.#derivedNames.set(key, name)
    this.derived.push({ ...derived, name })
    return name
  }

  #read(name: string, node: Node | undefined): void {
    const readers = this.#readers.get(name)
    if (readers) readers.push(node)
    else this.#readers.set(name, [node])
  }

  #unused(wanted: string, taken: ReadonlySet<string>): string {
    let name = wanted
    for (let i = 2; taken.has(name); i++) name = `${wanted}_${i}`
    return name
  }
}

/** Options of {@link Rewriter.node}. */
export interface NewNode {
  readonly attributes?: Readonly<Record<string, Attribute>>
  readonly outputs?: readonly string[]
  readonly dtypes?: readonly DType[]
  readonly shape?: Shape | undefined
}

/** `TensorProto.DataType` of float32. */
export const FLOAT = 1

function swaps({ attributes }: Node): boolean {
  const permutation = attributes['perm']?.type === 'ints' ? attributes['perm'].value : [1, 0]
  return permutation.map(Number).join() === '1,0'
}
