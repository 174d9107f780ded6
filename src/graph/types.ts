// Types of the graph: values, nodes, attributes, initializers, layers.
import type { DType, FileTensor, Tensor } from '../tensor/index.ts'

/** A size, or a named symbol (`batch`, `sequence`) for one that is known only at run time. `''` is unknown and unnamed. */
export type Dimension = number | string
export type Shape = readonly Dimension[]

/** Fields of a TypeProto that {@link ValueType} has no place for (denotations, unknown ones), by level, as protobuf bytes. */
export interface CarriedType {
  readonly type?: Uint8Array
  readonly inner?: Uint8Array
  readonly shape?: Uint8Array
  readonly dimensions?: readonly (Uint8Array | undefined)[]
}

/** The type of a value. A tensor without `shape` has unknown rank. */
export type ValueType = { readonly carried?: CarriedType } & (
  | { readonly kind: 'tensor'; readonly dtype: DType; readonly shape?: Shape }
  | { readonly kind: 'sparse_tensor'; readonly dtype: DType; readonly shape?: Shape }
  | { readonly kind: 'sequence'; readonly element: ValueType }
  | { readonly kind: 'optional'; readonly element: ValueType }
  | { readonly kind: 'map'; readonly key: DType; readonly value: ValueType }
  /** A type that Pipilo only carries: the bytes of its TypeProto. */
  | { readonly kind: 'opaque'; readonly bytes: Uint8Array }
)

/** An input or output of a graph, or an inner value whose type is known. */
export interface ValueInfo {
  readonly name: string
  readonly type?: ValueType
  readonly doc?: string
  readonly metadata?: ReadonlyMap<string, string>
  /** Fields of the message that this version does not know, as they were read. */
  readonly unknown?: Uint8Array
}

/** An initializer: in memory, or left in its file. */
export type Initializer = Tensor | FileTensor

/** A sparse tensor in ONNX's COO layout. */
export interface SparseTensor {
  readonly values: Initializer
  readonly indices: Initializer
  readonly shape: readonly number[]
  readonly unknown?: Uint8Array
}

/** An attribute of a node, tagged with ONNX's `AttributeProto.AttributeType`. Integers beyond 2^53 are bigint. */
export type Attribute = { readonly doc?: string; readonly unknown?: Uint8Array } & (
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'int'; readonly value: number | bigint }
  | { readonly type: 'string'; readonly value: string | Uint8Array }
  | { readonly type: 'tensor'; readonly value: Initializer }
  | { readonly type: 'graph'; readonly value: Graph }
  | { readonly type: 'sparse_tensor'; readonly value: SparseTensor }
  | { readonly type: 'type_proto'; readonly value: ValueType }
  | { readonly type: 'floats'; readonly value: readonly number[] }
  | { readonly type: 'ints'; readonly value: readonly (number | bigint)[] }
  | { readonly type: 'strings'; readonly value: readonly (string | Uint8Array)[] }
  | { readonly type: 'tensors'; readonly value: readonly Initializer[] }
  | { readonly type: 'graphs'; readonly value: readonly Graph[] }
  | { readonly type: 'sparse_tensors'; readonly value: readonly SparseTensor[] }
  | { readonly type: 'type_protos'; readonly value: readonly ValueType[] }
  /** Inside a function: the value of the function's attribute of this name. */
  | { readonly type: 'reference'; readonly value: string; readonly of: string }
)

/** One operator call. `''` among inputs or outputs is an optional one left out. */
export interface Node {
  /** Scope path in the field's own spelling, such as `encoder.layer.3.attention.output.dense`. */
  readonly name: string
  /** The operator's name in ONNX's spelling (`MatMul`). */
  readonly op: string
  /** `''` is the standard domain `ai.onnx`. */
  readonly domain: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Readonly<Record<string, Attribute>>
  readonly overload?: string
  readonly doc?: string
  readonly metadata?: ReadonlyMap<string, string>
  readonly unknown?: Uint8Array
}

/** A function of the model: nodes behind one operator name. */
export interface GraphFunction {
  readonly name: string
  readonly domain: string
  readonly overload?: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: readonly string[]
  /** Attributes with default values. */
  readonly defaults: Readonly<Record<string, Attribute>>
  readonly nodes: readonly Node[]
  readonly opsets: ReadonlyMap<string, number>
  readonly values: ReadonlyMap<string, ValueInfo>
  readonly doc?: string
  readonly metadata?: ReadonlyMap<string, string>
  readonly unknown?: Uint8Array
}

/**
 * A computation: plain data, never changed in place. Passes are functions from graph to graph that share tensors.
 *
 * A sub-graph (the body of `If`, `Loop`, `Scan`) is a Graph too, whose model-wide fields (`opsets`, `functions`, …) are empty.
 */
export interface Graph {
  readonly name: string
  readonly inputs: readonly ValueInfo[]
  readonly outputs: readonly ValueInfo[]
  /** In topological order. */
  readonly nodes: readonly Node[]
  readonly initializers: ReadonlyMap<string, Initializer>
  readonly sparseInitializers: ReadonlyMap<string, SparseTensor>
  /** Types of inner values, as far as known, and what is said of initializers. Inputs and outputs are not repeated here. */
  readonly values: ReadonlyMap<string, ValueInfo>
  /** Version by operator domain; `''` is `ai.onnx`. */
  readonly opsets: ReadonlyMap<string, number>
  readonly functions: readonly GraphFunction[]
  /** `metadata_props` of the model. */
  readonly metadata: ReadonlyMap<string, string>
  readonly irVersion?: number
  readonly producer?: { readonly name: string; readonly version: string }
  readonly doc?: string
  /** Other fields of the file (model version, domain, quantisation annotations, unknown ones), kept through a round trip. */
  readonly carried?: Readonly<Record<string, unknown>>
}

/** A line of {@link Graph}'s list of layers. */
export interface Layer {
  /** Scope name, usable in `cut` and `tap`. */
  readonly name: string
  /** Kind of module when known (`Linear`, `Conv2d`, `BertLayer`), else the operator of its last node. */
  readonly kind: string
  /** Shape of its last value, where known. */
  readonly shape: Shape | undefined
  /** Number of parameters (elements of initializers) used first inside the scope. */
  readonly parameters: number
  /** The exact name of its last value; `''` of a layer inside `If`, `Loop` or `Scan`, which nothing outside can read. */
  readonly value: string
}
