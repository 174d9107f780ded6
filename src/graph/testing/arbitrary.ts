/** For this room's tests only: random graphs, valid as data, with every kind of attribute and type. */

import fc from 'fast-check'
import { byteLength, elementCount, type Tensor, typedArray } from '../../tensor/index.ts'
import { DTYPES } from '../onnx/schema.ts'
import type { Attribute, Graph, GraphFunction, Node, SparseTensor, ValueInfo, ValueType } from '../types.ts'

const dtypes = DTYPES.filter((dtype) => dtype !== undefined)
const name = fc.stringMatching(/^[a-zA-Z_/.:é0-9]{1,12}$/)
const text = fc.string({ maxLength: 8, minLength: 1, unit: 'grapheme' })
const dtype = fc.constantFrom(...dtypes)
const domain = fc.constantFrom('', 'com.microsoft', 'example')
const dimension = fc.oneof(fc.nat(1000), fc.constantFrom('batch', 'sequence', ''))
const shape = fc.option(fc.array(dimension, { maxLength: 3 }), { nil: undefined })
/** A field that this version does not know: number 500, some bytes. */
const unknown = fc.option(
  fc.uint8Array({ maxLength: 5 }).map((bytes) => Uint8Array.of(0xa2, 0x1f, bytes.length, ...bytes)),
  { nil: undefined, freq: 4 },
)
const int = fc.oneof(fc.maxSafeInteger(), fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }))
const float = fc.float({ noNaN: true })
const bytes = fc.oneof(text, fc.constant(''), fc.constant(Uint8Array.of(0xff, 0xfe)))

/** Without the keys whose values are undefined. */
function present<T extends object>(value: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as T
}

const tensorShape = fc.array(fc.nat(3), { maxLength: 3 })
const tensor: fc.Arbitrary<Tensor> = fc.tuple(dtype, tensorShape, unknown).chain(([kind, sizes, carried]) => {
  const count = elementCount(sizes)
  const data =
    kind === 'string'
      ? fc.array(bytes, { minLength: count, maxLength: count })
      : fc
          .uint8Array({ minLength: byteLength(kind, count), maxLength: byteLength(kind, count) })
          .map((raw) => typedArray(kind, raw))
  return data.map((elements) => present<Tensor>({ dtype: kind, shape: sizes, data: elements, carried }))
})

const sparse: fc.Arbitrary<SparseTensor> = fc
  .tuple(tensor, tensor, fc.array(fc.nat(9), { maxLength: 2 }), unknown)
  .map(([values, indices, sizes, rest]) => present({ values, indices, shape: sizes, unknown: rest }))

const carriedType = fc.option(
  unknown.map((type) => (type ? { type } : undefined)),
  { nil: undefined },
)

const { type } = fc.letrec<{ type: ValueType }>((tie) => ({
  type: fc.oneof(
    { maxDepth: 2 },
    fc
      .record({ kind: fc.constantFrom('tensor', 'sparse_tensor'), dtype, shape, carried: carriedType })
      .map((value) => present<ValueType>(value)),
    fc.record({
      kind: fc.constantFrom('sequence', 'optional'),
      element: tie('type'),
    }) as fc.Arbitrary<ValueType>,
    fc.record({ kind: fc.constant('map'), key: dtype, value: tie('type') }) as fc.Arbitrary<ValueType>,
  ),
}))

const metadata = fc.option(
  fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 2 }).map((entries) => new Map(entries)),
  { nil: undefined },
)

const info: fc.Arbitrary<ValueInfo> = fc
  .record({
    name,
    type: fc.option(type, { nil: undefined }),
    doc: fc.option(text, { nil: undefined }),
    metadata,
    unknown,
  })
  .map((value) => present<ValueInfo>(value))

const values = fc
  .array(info, { maxLength: 3 })
  .map((list) => new Map(list.map((value) => [value.name, value])))

const plain: fc.Arbitrary<Attribute> = fc.oneof(
  fc.record({ type: fc.constant('float'), value: float }),
  fc.record({ type: fc.constant('int'), value: int }),
  fc.record({ type: fc.constant('string'), value: bytes }),
  fc.record({ type: fc.constant('tensor'), value: tensor }),
  fc.record({ type: fc.constant('sparse_tensor'), value: sparse }),
  fc.record({ type: fc.constant('type_proto'), value: type }),
  fc.record({ type: fc.constant('floats'), value: fc.array(float) }),
  fc.record({ type: fc.constant('ints'), value: fc.array(int) }),
  fc.record({ type: fc.constant('strings'), value: fc.array(bytes) }),
  fc.record({ type: fc.constant('tensors'), value: fc.array(tensor, { maxLength: 2 }) }),
  fc.record({ type: fc.constant('sparse_tensors'), value: fc.array(sparse, { maxLength: 2 }) }),
  fc.record({ type: fc.constant('type_protos'), value: fc.array(type, { maxLength: 2 }) }),
  fc.record({ type: fc.constant('reference'), value: name, of: fc.constantFrom('float', 'ints', 'graph') }),
) as fc.Arbitrary<Attribute>

const opsets = fc
  .array(fc.tuple(domain, fc.integer({ min: 1, max: 30 })), { minLength: 1, maxLength: 3 })
  .map((entries) => new Map(entries))

const { node, graph } = fc.letrec<{ node: Node; graph: Graph; attribute: Attribute }>((tie) => ({
  attribute: fc
    .tuple(
      fc.oneof(
        { maxDepth: 2, withCrossShrink: true },
        plain,
        fc.record({ type: fc.constant('graph'), value: tie('graph') }),
        fc.record({ type: fc.constant('graphs'), value: fc.array(tie('graph'), { maxLength: 2 }) }),
      ),
      fc.option(text, { nil: undefined }),
      unknown,
    )
    .map(([value, doc, rest]) => present({ ...(value as object), doc, unknown: rest }) as Attribute),
  node: fc
    .record({
      name: fc.oneof(name, fc.constant('')),
      op: name,
      domain,
      inputs: fc.array(fc.oneof(name, fc.constant('')), { maxLength: 3 }),
      outputs: fc.array(fc.oneof(name, fc.constant('')), { maxLength: 3 }),
      attributes: fc.dictionary(name, tie('attribute'), { maxKeys: 3, noNullPrototype: true }),
      overload: fc.option(name, { nil: undefined }),
      doc: fc.option(text, { nil: undefined }),
      metadata,
      unknown,
    })
    .map((value) => present<Node>(value)),
  graph: fc
    .record({
      name,
      inputs: fc.array(info, { maxLength: 2 }),
      outputs: fc.array(info, { maxLength: 2 }),
      nodes: fc.array(tie('node'), { maxLength: 3 }),
      initializers: fc.array(fc.tuple(name, tensor), { maxLength: 3 }).map((entries) => new Map(entries)),
      sparseInitializers: fc
        .array(fc.tuple(name, sparse), { maxLength: 1 })
        .map((entries) => new Map(entries)),
      values,
      opsets: fc.constant(new Map<string, number>()),
      functions: fc.constant([]),
      metadata: fc.constant(new Map<string, string>()),
      doc: fc.option(text, { nil: undefined }),
      carried: fc.option(
        unknown.map((bytesOfGraph) => (bytesOfGraph ? { graph: bytesOfGraph } : undefined)),
        { nil: undefined },
      ),
    })
    .map((value) => present<Graph>(value)),
}))

const fn: fc.Arbitrary<GraphFunction> = fc
  .record({
    name,
    domain,
    inputs: fc.array(name, { maxLength: 2 }),
    outputs: fc.array(name, { maxLength: 2 }),
    attributes: fc.array(name, { maxLength: 2 }),
    defaults: fc.dictionary(name, plain, { maxKeys: 2, noNullPrototype: true }),
    nodes: fc.array(node, { maxLength: 2 }),
    opsets,
    values,
    overload: fc.option(name, { nil: undefined }),
    doc: fc.option(text, { nil: undefined }),
    metadata,
    unknown,
  })
  .map((value) => present<GraphFunction>(value))

/** A whole model's graph. */
export const anyGraph: fc.Arbitrary<Graph> = fc
  .tuple(graph, opsets, fc.array(fn, { maxLength: 2 }), metadata, fc.integer({ min: 3, max: 14 }), unknown)
  .map(([main, versions, functions, entries, irVersion, model]) => {
    const carried = { ...main.carried, ...(model && { model }) }
    const { carried: _, ...rest } = main
    return {
      ...rest,
      opsets: versions,
      functions,
      metadata: entries ?? new Map(),
      irVersion,
      producer: { name: 'test', version: '1' },
      ...(Object.keys(carried).length > 0 && { carried }),
    }
  })
