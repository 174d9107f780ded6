// Reads ModelProto, GraphProto, NodeProto and AttributeProto into a graph.
import { PipiloError } from '../../base/index.ts'
import type {
  Attribute,
  Graph,
  GraphFunction,
  Initializer,
  Node,
  SparseTensor,
  ValueInfo,
  ValueType,
} from '../types.ts'
import { checkExpansion } from './expansion.ts'
import { ATTRIBUTE, ATTRIBUTE_TYPES, ENTRY, FUNCTION, GRAPH, MODEL, NODE, VALUE_INFO } from './schema.ts'
import { type ReadContext, readEntry, readSparse, readTensor } from './tensors.ts'
import { readType } from './types.ts'
import { eachField, type Span } from './wire.ts'

/** Fields of a file that {@link Graph} has no place for, by level, as protobuf bytes. */
export interface Carried {
  readonly model?: Uint8Array
  readonly graph?: Uint8Array
  readonly opsets?: ReadonlyMap<string, Uint8Array>
}

/** Reads a ModelProto. */
export function readModel(message: Span, context: ReadContext): Graph {
  let graph: Graph | undefined
  let irVersion: number | undefined
  let doc = ''
  const producer = { name: '', version: '' }
  const opsets = new Map<string, number>()
  const carriedOpsets = new Map<string, Uint8Array>()
  const metadata = new Map<string, string>()
  const functions: GraphFunction[] = []
  const model = eachField(message, {
    [MODEL.ir_version]: (field) => {
      irVersion = field.number53()
    },
    [MODEL.producer_name]: (field) => {
      producer.name = field.string()
    },
    [MODEL.producer_version]: (field) => {
      producer.version = field.string()
    },
    [MODEL.doc_string]: (field) => {
      doc = field.string()
    },
    [MODEL.graph]: (field) => {
      graph = readGraph(field.span(), context, true)
    },
    [MODEL.opset_import]: (field) => readOpset(field.span(), opsets, carriedOpsets),
    [MODEL.metadata_props]: (field) => readEntry(field.span(), metadata),
    [MODEL.functions]: (field) => functions.push(readFunction(field.span(), context)),
  })
  if (!graph || irVersion === undefined) {
    throw new PipiloError(
      'FORMAT_INVALID',
      `${context.name} is no ONNX model: it holds no graph or no version.`,
      {
        input: context.name,
      },
    )
  }
  checkExpansion({ nodes: graph.nodes, functions }, context.name)
  const carried: Carried = {
    ...graph.carried,
    ...(model && { model }),
    ...(carriedOpsets.size > 0 && { opsets: carriedOpsets }),
  }
  return {
    ...graph,
    opsets,
    functions,
    metadata,
    irVersion,
    ...((producer.name || producer.version) && { producer }),
    ...(doc && { doc }),
    ...(Object.keys(carried).length > 0 && { carried: { ...carried } }),
  }
}

function readOpset(message: Span, opsets: Map<string, number>, carried?: Map<string, Uint8Array>): void {
  let domain = ''
  let version = 0
  const unknown = eachField(message, {
    [ENTRY.key]: (field) => {
      domain = standardDomain(field.string())
    },
    [ENTRY.value]: (field) => {
      version = field.number53()
    },
  })
  opsets.set(domain, version)
  if (unknown) carried?.set(domain, unknown)
}

/** `ai.onnx` and the empty name mean the same. */
function standardDomain(domain: string): string {
  return domain === 'ai.onnx' ? '' : domain
}

function readGraph(message: Span, context: ReadContext, main = false): Graph {
  let name = ''
  let doc = ''
  const inputs: ValueInfo[] = []
  const outputs: ValueInfo[] = []
  const nodes: Node[] = []
  const values = new Map<string, ValueInfo>()
  const initializers = new Map<string, Initializer>()
  const sparseInitializers = new Map<string, SparseTensor>()
  const rest = eachField(message, {
    [GRAPH.node]: (field) => nodes.push(readNode(field.span(), context)),
    [GRAPH.name]: (field) => {
      name = field.string()
    },
    [GRAPH.initializer]: (field) => {
      const read = readTensor(field.span(), context)
      if (initializers.has(read.name)) {
        throw new PipiloError(
          'FORMAT_INVALID',
          `${context.name} has two initializers of the name ${read.name}.`,
        )
      }
      initializers.set(read.name, read.tensor)
    },
    [GRAPH.sparse_initializer]: (field) => {
      const read = readSparse(field.span(), context)
      sparseInitializers.set(read.name, read.sparse)
    },
    [GRAPH.input]: (field) => inputs.push(readValueInfo(field.span())),
    [GRAPH.output]: (field) => outputs.push(readValueInfo(field.span())),
    [GRAPH.value_info]: (field) => {
      const info = readValueInfo(field.span())
      values.set(info.name, info)
    },
    // The main graph's `doc` is the model's; its own goes with what is carried.
    ...(!main && {
      [GRAPH.doc_string]: (field) => {
        doc = field.string()
      },
    }),
  })
  return {
    name,
    inputs,
    outputs,
    nodes,
    initializers,
    sparseInitializers,
    values,
    opsets: new Map(),
    functions: [],
    metadata: new Map(),
    ...(doc && { doc }),
    ...(rest && { carried: { graph: rest } }),
  }
}

function readNode(message: Span, context: ReadContext): Node {
  let name = ''
  let op = ''
  let domain = ''
  let overload = ''
  let doc = ''
  const inputs: string[] = []
  const outputs: string[] = []
  const attributes: Record<string, Attribute> = {}
  const metadata = new Map<string, string>()
  const unknown = eachField(message, {
    [NODE.input]: (field) => inputs.push(field.string()),
    [NODE.output]: (field) => outputs.push(field.string()),
    [NODE.name]: (field) => {
      name = field.string()
    },
    [NODE.op_type]: (field) => {
      op = field.string()
    },
    [NODE.domain]: (field) => {
      domain = standardDomain(field.string())
    },
    [NODE.overload]: (field) => {
      overload = field.string()
    },
    [NODE.doc_string]: (field) => {
      doc = field.string()
    },
    [NODE.attribute]: (field) => {
      const read = readAttribute(field.span(), context)
      setAttribute(attributes, read.name, read.attribute)
    },
    [NODE.metadata_props]: (field) => readEntry(field.span(), metadata),
  })
  return {
    name,
    op,
    domain,
    inputs,
    outputs,
    attributes,
    ...(overload && { overload }),
    ...(doc && { doc }),
    ...(metadata.size > 0 && { metadata }),
    ...(unknown && { unknown }),
  }
}

/** As an own property, whatever the name (`__proto__` among them). */
function setAttribute(attributes: Record<string, Attribute>, name: string, value: Attribute): void {
  Object.defineProperty(attributes, name, { value, enumerable: true, configurable: true, writable: true })
}

function readAttribute(message: Span, context: ReadContext): { name: string; attribute: Attribute } {
  let name = ''
  let doc = ''
  let number = 0
  let reference = ''
  /** Files before IR version 2 leave `type` out: it is then the one of the field that is set. */
  let seen: Attribute['type'] | undefined
  let float = 0
  let int: number | bigint = 0
  let string: string | Uint8Array = ''
  const floats: number[] = []
  const ints: (number | bigint)[] = []
  const strings: (string | Uint8Array)[] = []
  const tensors: Initializer[] = []
  const graphs: Graph[] = []
  const sparse: SparseTensor[] = []
  const types: ValueType[] = []
  const tensor = (span: Span) => readTensor(span, context, 'attribute').tensor
  const type = (span: Span) => readType(span) ?? ({ kind: 'opaque', bytes: new Uint8Array() } as const)
  const unknown = eachField(message, {
    [ATTRIBUTE.name]: (field) => {
      name = field.string()
    },
    [ATTRIBUTE.doc_string]: (field) => {
      doc = field.string()
    },
    [ATTRIBUTE.type]: (field) => {
      number = field.number53()
    },
    [ATTRIBUTE.ref_attr_name]: (field) => {
      reference = field.string()
    },
    [ATTRIBUTE.f]: (field) => {
      seen = 'float'
      float = field.float()
    },
    [ATTRIBUTE.i]: (field) => {
      seen = 'int'
      int = field.int()
    },
    [ATTRIBUTE.s]: (field) => {
      seen = 'string'
      string = field.text()
    },
    [ATTRIBUTE.t]: (field) => {
      seen = 'tensor'
      tensors.push(tensor(field.span()))
    },
    [ATTRIBUTE.g]: (field) => {
      seen = 'graph'
      graphs.push(readGraph(field.span(), context))
    },
    [ATTRIBUTE.sparse_tensor]: (field) => {
      seen = 'sparse_tensor'
      sparse.push(readSparse(field.span(), context).sparse)
    },
    [ATTRIBUTE.tp]: (field) => {
      seen = 'type_proto'
      types.push(type(field.span()))
    },
    [ATTRIBUTE.floats]: (field) => {
      seen = 'floats'
      field.each((reader) => reader.float(), floats)
    },
    [ATTRIBUTE.ints]: (field) => {
      seen = 'ints'
      field.ints(ints)
    },
    [ATTRIBUTE.strings]: (field) => {
      seen = 'strings'
      strings.push(field.text())
    },
    [ATTRIBUTE.tensors]: (field) => {
      seen = 'tensors'
      tensors.push(tensor(field.span()))
    },
    [ATTRIBUTE.graphs]: (field) => {
      seen = 'graphs'
      graphs.push(readGraph(field.span(), context))
    },
    [ATTRIBUTE.sparse_tensors]: (field) => {
      seen = 'sparse_tensors'
      sparse.push(readSparse(field.span(), context).sparse)
    },
    [ATTRIBUTE.type_protos]: (field) => {
      seen = 'type_protos'
      types.push(type(field.span()))
    },
  })
  const kind = ATTRIBUTE_TYPES[number] ?? seen
  const what = `Attribute ${name} in ${context.name}`
  if (!kind) throw new PipiloError('FORMAT_INVALID', `${what} has no type and no value.`)
  const one = <T>(list: readonly T[]): T => {
    if (list[0] === undefined)
      throw new PipiloError('FORMAT_INVALID', `${what} is of type ${kind} but has no value.`)
    return list[0]
  }
  const value = (): Attribute => {
    if (reference) return { type: 'reference', value: reference, of: kind }
    switch (kind) {
      case 'float':
        return { type: kind, value: float }
      case 'int':
        return { type: kind, value: int }
      case 'string':
        return { type: kind, value: string }
      case 'tensor':
        return { type: kind, value: one(tensors) }
      case 'graph':
        return { type: kind, value: one(graphs) }
      case 'sparse_tensor':
        return { type: kind, value: one(sparse) }
      case 'type_proto':
        return { type: kind, value: one(types) }
      case 'floats':
        return { type: kind, value: floats }
      case 'ints':
        return { type: kind, value: ints }
      case 'strings':
        return { type: kind, value: strings }
      case 'tensors':
        return { type: kind, value: tensors }
      case 'graphs':
        return { type: kind, value: graphs }
      case 'sparse_tensors':
        return { type: kind, value: sparse }
      case 'type_protos':
        return { type: kind, value: types }
      case 'reference':
        throw new PipiloError('FORMAT_INVALID', `${what} refers to nothing.`)
    }
  }
  return { name, attribute: { ...value(), ...(doc && { doc }), ...(unknown && { unknown }) } }
}

function readValueInfo(message: Span): ValueInfo {
  let name = ''
  let doc = ''
  let type: ValueType | undefined
  const metadata = new Map<string, string>()
  const unknown = eachField(message, {
    [VALUE_INFO.name]: (field) => {
      name = field.string()
    },
    [VALUE_INFO.type]: (field) => {
      type = readType(field.span())
    },
    [VALUE_INFO.doc_string]: (field) => {
      doc = field.string()
    },
    [VALUE_INFO.metadata_props]: (field) => readEntry(field.span(), metadata),
  })
  return {
    name,
    ...(type && { type }),
    ...(doc && { doc }),
    ...(metadata.size > 0 && { metadata }),
    ...(unknown && { unknown }),
  }
}

function readFunction(message: Span, context: ReadContext): GraphFunction {
  const text = { name: '', domain: '', overload: '', doc: '' }
  const set = (key: keyof typeof text) => (field: { string(): string }) => {
    text[key] = field.string()
  }
  const inputs: string[] = []
  const outputs: string[] = []
  const attributes: string[] = []
  const defaults: Record<string, Attribute> = {}
  const nodes: Node[] = []
  const opsets = new Map<string, number>()
  const values = new Map<string, ValueInfo>()
  const metadata = new Map<string, string>()
  const unknown = eachField(message, {
    [FUNCTION.name]: set('name'),
    [FUNCTION.domain]: set('domain'),
    [FUNCTION.overload]: set('overload'),
    [FUNCTION.doc_string]: set('doc'),
    [FUNCTION.input]: (field) => inputs.push(field.string()),
    [FUNCTION.output]: (field) => outputs.push(field.string()),
    [FUNCTION.attribute]: (field) => attributes.push(field.string()),
    [FUNCTION.attribute_proto]: (field) => {
      const read = readAttribute(field.span(), context)
      setAttribute(defaults, read.name, read.attribute)
    },
    [FUNCTION.node]: (field) => nodes.push(readNode(field.span(), context)),
    [FUNCTION.opset_import]: (field) => readOpset(field.span(), opsets),
    [FUNCTION.value_info]: (field) => {
      const info = readValueInfo(field.span())
      values.set(info.name, info)
    },
    [FUNCTION.metadata_props]: (field) => readEntry(field.span(), metadata),
  })
  return {
    name: text.name,
    domain: standardDomain(text.domain),
    inputs,
    outputs,
    attributes,
    defaults,
    nodes,
    opsets,
    values,
    ...(text.overload && { overload: text.overload }),
    ...(text.doc && { doc: text.doc }),
    ...(metadata.size > 0 && { metadata }),
    ...(unknown && { unknown }),
  }
}
