// Prints a graph as text, one line a node.
import {
  bfloat16ToFloat32,
  type DType,
  elementCount,
  float16ToFloat32,
  type TypedArray,
} from '../../tensor/index.ts'
import type { Attribute, Graph, Initializer, Node, Shape, ValueInfo, ValueType } from '../types.ts'
import { infoOf } from './walk.ts'

/** Elements of a constant that are shown; more are summarised. */
const SHOWN = 8

/**
 * A graph as text that a person can read.
 *
 * ```
 * graph mlp(%x: float32[batch, 4]) -> (%y: float32[batch, 2])  opset 17
 *   %fc.weight: float32[4, 2]
 *   %y: float32[batch, 2] = MatMul(%x, %fc.weight)  # fc
 * ```
 *
 * Initializers come first, then one line a node: outputs with their types, operator (its domain before it unless it is
 * ONNX's own), inputs, attributes in braces, the node's name. Small tensors are shown, large ones only by type and shape;
 * sub-graphs and functions are indented.
 */
export function printGraph(graph: Graph): string {
  const opsets = [...graph.opsets]
    .map(([domain, version]) => `${domain ? `${domain} ` : ''}${version}`)
    .join(', ')
  const lines = [
    `graph ${signature(graph)}${opsets ? `  opset ${opsets}` : ''}`,
    ...body(graph, '  '),
    ...graph.functions.flatMap((fn) => [
      '',
      `function ${fn.domain}.${fn.name}(${fn.inputs.map(reference).join(', ')}) -> (${fn.outputs.map(reference).join(', ')})`,
      ...fn.nodes.flatMap((node) => nodeLines(node, (name) => fn.values.get(name)?.type, '  ')),
    ]),
  ]
  return lines.join('\n')
}

function signature(graph: Graph): string {
  const list = (infos: readonly ValueInfo[]) => infos.map(({ name, type }) => named(name, type)).join(', ')
  return `${graph.name}(${list(graph.inputs)}) -> (${list(graph.outputs)})`
}

function body(graph: Graph, indent: string): string[] {
  const tensors = [...graph.initializers].map(
    ([name, tensor]) => `${indent}${named(name, tensorType(tensor))}${elements(tensor, ' = ')}`,
  )
  const sparse = [...graph.sparseInitializers].map(
    ([name, { values, shape }]) => `${indent}%${name}: sparse ${values.dtype}[${shape.join(', ')}]`,
  )
  const typeOf = (name: string) => infoOf(graph, name)?.type
  return [...tensors, ...sparse, ...graph.nodes.flatMap((node) => nodeLines(node, typeOf, indent))]
}

function nodeLines(node: Node, typeOf: (name: string) => ValueType | undefined, indent: string): string[] {
  const outputs = node.outputs.map((name) => (name === '' ? '_' : named(name, typeOf(name)))).join(', ')
  const operator = node.domain === '' ? node.op : `${node.domain}.${node.op}`
  const graphs: string[] = []
  const attributes: string[] = []
  for (const [name, attribute] of Object.entries(node.attributes)) {
    const inner =
      attribute.type === 'graph' ? [attribute.value] : attribute.type === 'graphs' ? attribute.value : []
    if (inner.length === 0) attributes.push(`${name}: ${attributeText(attribute)}`)
    for (const graph of inner) {
      graphs.push(`${indent}  ${name}: graph ${signature(graph)}`, ...body(graph, `${indent}    `))
    }
  }
  const braces = attributes.length > 0 ? ` {${attributes.join(', ')}}` : ''
  const scope = node.name ? `  # ${node.name}` : ''
  const inputs = node.inputs.map(reference).join(', ')
  return [`${indent}${outputs} = ${operator}(${inputs})${braces}${scope}`, ...graphs]
}

function reference(name: string): string {
  return name === '' ? '_' : `%${name}`
}

function named(name: string, type: ValueType | undefined): string {
  return `%${name}${type ? `: ${printType(type)}` : ''}`
}

/** A type as text: `float32[batch, 384]`, `sequence(int64[n])`; `?` stands for an unknown size. */
export function printType(type: ValueType): string {
  switch (type.kind) {
    case 'tensor':
      return `${type.dtype}${shapeText(type.shape)}`
    case 'sparse_tensor':
      return `sparse ${type.dtype}${shapeText(type.shape)}`
    case 'sequence':
    case 'optional':
      return `${type.kind}(${printType(type.element)})`
    case 'map':
      return `map(${type.key}, ${printType(type.value)})`
    case 'opaque':
      return 'opaque'
  }
}

function shapeText(shape: Shape | undefined): string {
  return shape ? `[${shape.map((size) => (size === '' ? '?' : size)).join(', ')}]` : ''
}

function tensorType({ dtype, shape }: Initializer): ValueType {
  return { kind: 'tensor', dtype, shape }
}

/** The elements of a small tensor in memory, after `before`. */
function elements(tensor: Initializer, before: string): string {
  if ('file' in tensor || elementCount(tensor.shape) > SHOWN) return ''
  const data = ArrayBuffer.isView(tensor.data)
    ? [...readable(tensor.dtype, tensor.data)].map((value) =>
        typeof value === 'bigint' ? String(value) : short(value),
      )
    : tensor.data.map(quoted)
  return `${before}${tensor.shape.length === 0 ? data.join('') : `[${data.join(', ')}]`}`
}

/** 16-bit floats as numbers; other types are that, or bit patterns that stay so. */
function readable(dtype: DType, data: TypedArray): TypedArray {
  if (dtype === 'float16') return float16ToFloat32(data as Uint16Array)
  return dtype === 'bfloat16' ? bfloat16ToFloat32(data as Uint16Array) : data
}

function short(value: number): string {
  return String(Number.isInteger(value) ? value : Number(value.toPrecision(6)))
}

function quoted(value: string | Uint8Array): string {
  return typeof value === 'string'
    ? JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
    : `${value.length} bytes`
}

function attributeText(attribute: Attribute): string {
  switch (attribute.type) {
    case 'float':
      return short(attribute.value)
    case 'int':
      return String(attribute.value)
    case 'string':
      return quoted(attribute.value)
    case 'tensor':
      return `${printType(tensorType(attribute.value))}${elements(attribute.value, ' ')}`
    case 'floats':
      return list(attribute.value.map(short))
    case 'ints':
      return list(attribute.value.map(String))
    case 'strings':
      return list(attribute.value.map(quoted))
    case 'type_proto':
      return printType(attribute.value)
    case 'type_protos':
      return list(attribute.value.map(printType))
    case 'sparse_tensor':
      return `sparse ${attribute.value.values.dtype}[${attribute.value.shape.join(', ')}]`
    case 'reference':
      return `@${attribute.value}`
    case 'tensors':
    case 'sparse_tensors':
    case 'graph':
    case 'graphs':
      return attribute.type
  }
}

function list(texts: readonly string[]): string {
  const more = texts.length - SHOWN
  return `[${texts.slice(0, SHOWN).join(', ')}${more > 0 ? `, … ${more} more` : ''}]`
}
