// Writes a graph as a ModelProto in pieces, with weights by reference.
import type { Attribute, Graph, GraphFunction, Node, ValueInfo } from '../types.ts'
import type { Carried } from './read.ts'
import { ATTRIBUTE, ATTRIBUTE_TYPES, ENTRY, FUNCTION, GRAPH, MODEL, NODE, VALUE_INFO } from './schema.ts'
import { type ExternalChoice, encode, writeEntries, writeSparse, writeTensor } from './tensors.ts'
import { writeType } from './types.ts'
import { MessageWriter, type Part } from './wire.ts'

/** IR version and operator set of graphs that name none: read by every runtime of the last years. */
const IR_VERSION = 8
const OPSET = 17

/** The pieces of a ModelProto, weights by reference. */
export function modelParts(graph: Graph, external?: ExternalChoice): Part[] {
  const writer = new MessageWriter()
  const carried = graph.carried as Carried | undefined
  writer.int(MODEL.ir_version, graph.irVersion ?? IR_VERSION)
  writer.string(MODEL.producer_name, graph.producer?.name ?? 'pipilo')
  writer.string(MODEL.producer_version, graph.producer?.version)
  writer.string(MODEL.doc_string, graph.doc)
  writer.message(MODEL.graph, (inner) => writeGraph(inner, graph, external, true))
  writeOpsets(
    writer,
    MODEL.opset_import,
    graph.opsets.size > 0 ? graph.opsets : new Map([['', OPSET]]),
    carried?.opsets,
  )
  writeEntries(writer, MODEL.metadata_props, graph.metadata)
  for (const fn of graph.functions) writer.message(MODEL.functions, (inner) => writeFunction(inner, fn))
  writer.raw(carried?.model)
  return writer.finish()
}

function writeOpsets(
  writer: MessageWriter,
  field: number,
  opsets: ReadonlyMap<string, number>,
  carried?: ReadonlyMap<string, Uint8Array>,
): void {
  for (const [domain, version] of opsets) {
    writer.message(field, (inner) => {
      inner.string(ENTRY.key, domain)
      inner.int(ENTRY.value, version)
      inner.raw(carried?.get(domain))
    })
  }
}

function writeGraph(writer: MessageWriter, graph: Graph, external?: ExternalChoice, main = false): void {
  for (const node of graph.nodes) writer.message(GRAPH.node, (inner) => writeNode(inner, node, external))
  writer.string(GRAPH.name, graph.name || 'graph')
  for (const [name, tensor] of graph.initializers) {
    writer.message(GRAPH.initializer, (inner) => writeTensor(inner, tensor, name, external?.(name, tensor)))
  }
  for (const [name, sparse] of graph.sparseInitializers) {
    writer.message(GRAPH.sparse_initializer, (inner) => writeSparse(inner, sparse, name))
  }
  if (!main) writer.string(GRAPH.doc_string, graph.doc)
  for (const info of graph.inputs) writer.message(GRAPH.input, (inner) => writeValueInfo(inner, info))
  for (const info of graph.outputs) writer.message(GRAPH.output, (inner) => writeValueInfo(inner, info))
  for (const info of graph.values.values()) {
    writer.message(GRAPH.value_info, (inner) => writeValueInfo(inner, info))
  }
  writer.raw((graph.carried as Carried | undefined)?.graph)
}

function writeNode(writer: MessageWriter, node: Node, external?: ExternalChoice): void {
  writer.strings(NODE.input, node.inputs)
  writer.strings(NODE.output, node.outputs)
  writer.string(NODE.name, node.name)
  writer.string(NODE.op_type, node.op)
  for (const [name, attribute] of Object.entries(node.attributes)) {
    writer.message(NODE.attribute, (inner) => writeAttribute(inner, name, attribute, external))
  }
  writer.string(NODE.doc_string, node.doc)
  writer.string(NODE.domain, node.domain)
  writer.string(NODE.overload, node.overload)
  writeEntries(writer, NODE.metadata_props, node.metadata)
  writer.raw(node.unknown)
}

function writeAttribute(
  writer: MessageWriter,
  name: string,
  attribute: Attribute,
  external?: ExternalChoice,
): void {
  writer.string(ATTRIBUTE.name, name)
  const tag = attribute.type === 'reference' ? attribute.of : attribute.type
  writer.int(ATTRIBUTE.type, ATTRIBUTE_TYPES.indexOf(tag as Attribute['type']))
  writer.string(ATTRIBUTE.doc_string, attribute.doc)
  const bytes = (value: string | Uint8Array) => (typeof value === 'string' ? encode(value) : value)
  switch (attribute.type) {
    case 'float':
      writer.float(ATTRIBUTE.f, attribute.value)
      break
    case 'int':
      writer.int(ATTRIBUTE.i, attribute.value)
      break
    case 'string':
      writer.bytes(ATTRIBUTE.s, bytes(attribute.value))
      break
    case 'tensor':
      writer.message(ATTRIBUTE.t, (inner) => writeTensor(inner, attribute.value))
      break
    case 'graph':
      writer.message(ATTRIBUTE.g, (inner) => writeGraph(inner, attribute.value, external))
      break
    case 'sparse_tensor':
      writer.message(ATTRIBUTE.sparse_tensor, (inner) => writeSparse(inner, attribute.value))
      break
    case 'type_proto':
      writer.message(ATTRIBUTE.tp, (inner) => writeType(inner, attribute.value))
      break
    case 'floats':
      writer.floats(ATTRIBUTE.floats, attribute.value)
      break
    case 'ints':
      writer.ints(ATTRIBUTE.ints, attribute.value)
      break
    case 'strings':
      for (const value of attribute.value) writer.bytes(ATTRIBUTE.strings, bytes(value))
      break
    case 'tensors':
      for (const value of attribute.value) {
        writer.message(ATTRIBUTE.tensors, (inner) => writeTensor(inner, value))
      }
      break
    case 'graphs':
      for (const value of attribute.value) {
        writer.message(ATTRIBUTE.graphs, (inner) => writeGraph(inner, value, external))
      }
      break
    case 'sparse_tensors':
      for (const value of attribute.value) {
        writer.message(ATTRIBUTE.sparse_tensors, (inner) => writeSparse(inner, value))
      }
      break
    case 'type_protos':
      for (const value of attribute.value) {
        writer.message(ATTRIBUTE.type_protos, (inner) => writeType(inner, value))
      }
      break
    case 'reference':
      writer.string(ATTRIBUTE.ref_attr_name, attribute.value)
  }
  writer.raw(attribute.unknown)
}

function writeValueInfo(writer: MessageWriter, info: ValueInfo): void {
  const { type } = info
  writer.string(VALUE_INFO.name, info.name)
  if (type) writer.message(VALUE_INFO.type, (inner) => writeType(inner, type))
  writer.string(VALUE_INFO.doc_string, info.doc)
  writeEntries(writer, VALUE_INFO.metadata_props, info.metadata)
  writer.raw(info.unknown)
}

function writeFunction(writer: MessageWriter, fn: GraphFunction): void {
  writer.string(FUNCTION.name, fn.name)
  writer.strings(FUNCTION.input, fn.inputs)
  writer.strings(FUNCTION.output, fn.outputs)
  writer.strings(FUNCTION.attribute, fn.attributes)
  for (const node of fn.nodes) writer.message(FUNCTION.node, (inner) => writeNode(inner, node))
  writer.string(FUNCTION.doc_string, fn.doc)
  writeOpsets(writer, FUNCTION.opset_import, fn.opsets)
  writer.string(FUNCTION.domain, fn.domain)
  for (const [name, attribute] of Object.entries(fn.defaults)) {
    writer.message(FUNCTION.attribute_proto, (inner) => writeAttribute(inner, name, attribute))
  }
  for (const info of fn.values.values()) {
    writer.message(FUNCTION.value_info, (inner) => writeValueInfo(inner, info))
  }
  writer.string(FUNCTION.overload, fn.overload)
  writeEntries(writer, FUNCTION.metadata_props, fn.metadata)
  writer.raw(fn.unknown)
}
