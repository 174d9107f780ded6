// Reads TensorFlow.js graph models into graphs.
import { PipiloError } from '../../../base/index.ts'
import { Builder, type Dimension, type Graph, prune } from '../../../graph/index.ts'
import { FeatureMap, type Laid, OwnOrder, Weight } from './laid.ts'
import type { ModelJson } from './modelJson.ts'
import { NodeCall } from './nodeCall.ts'
import { brokenGraph, inOrder, type NodeDef, type NodeGraph, needed, readNodes } from './nodeDefs.ts'
import { CONTROL_FLOW, OPERATORS } from './operators/index.ts'
import { type RaggedText, raggedText } from './raggedText.ts'
import { simplified } from './simplify.ts'
import { Weights } from './weights.ts'

/** A TensorFlow.js graph model as a graph. */
export interface TfjsGraphModel {
  /**
   * Inputs and outputs are called as TensorFlow's nodes, and int32 is int64. Two kinds of models take what Pipilo's others
   * take: one of a single float picture `pixel_values`, [batch, channels, height, width], and one of texts as a sparse matrix
   * `input_ids` and `attention_mask`, int64 [batch, sequence]. Feature maps are in ONNX's order everywhere.
   */
  readonly graph: Graph
  /** Nodes that are not in the graph, because an operator that is not translated stands before them, and why. */
  readonly blocked: ReadonlyMap<string, string>
  /** Name of the model's first output, which may be among these. */
  readonly stated: string
  /** For models of pictures: height and width. */
  readonly inputSize?: readonly [height: number, width: number]
  /** For models of texts: how many tokens it reads, where it says so. */
  readonly maxLength?: number | undefined
  /** Names of the weights that no node asked for. */
  readonly unused: readonly string[]
  /** Names of the files that were read, within the model: the topology, then the shards. */
  readonly files: readonly string[]
}

/**
 * Reads a TensorFlow.js graph model, as tensorflowjs_converter writes it: `model.json` with TensorFlow's NodeDefs, and shards.
 *
 * @example
 * ```ts
 * const { graph } = await readTfjsGraphModel(await readModelJson(files))
 * ```
 *
 * @remarks
 * Layers are called as TensorFlow's nodes, `a/b/Conv2D` or with dots. Quantised weights are made float32.
 *
 * @throws PipiloError `FILE_NOT_FOUND`, `FORMAT_INVALID`, `FORMAT_UNSUPPORTED`, `MODEL_INVALID`, `PARAMETER_MISSING`; `OPERATOR_UNSUPPORTED`
 * where operators that are not translated leave nothing
 */
export async function readTfjsGraphModel(json: ModelJson): Promise<TfjsGraphModel> {
  if (json.format !== 'graph') {
    throw new PipiloError('FORMAT_UNSUPPORTED', `${json.file} is a layers model, not a graph model.`, {
      input: json.file,
    })
  }
  const stated = readNodes(json)
  const weights = await Weights.read(json)
  const read = new Set(needed(stated).map(({ name }) => name))
  const common = {
    files: [json.path, ...weights.files],
    unused: weights.names.filter((name) => !read.has(name)),
  }
  const [first] = stated.outputs
  const stating = (translated: Translated) => ({ ...translated, stated: first!.node })
  const nodes = simplified(stated, weights)
  const text = raggedText(nodes, weights)
  if (text) {
    return { ...common, ...stating(translate(text.nodes, weights, text)), maxLength: text.maxLength }
  }
  const picture = pictureInput(nodes)
  if (!picture) return { ...common, ...stating(translate(nodes, weights, undefined)) }
  return { ...common, ...stating(pictureGraph(nodes, weights, picture)), inputSize: picture.size }
}

/** The error of a graph of which nothing can be computed, with all operators that are missing. */
function nothing(graph: NodeGraph, blocked: ReadonlyMap<string, string>): PipiloError {
  const used = new Set(needed(graph).flatMap((node) => (unknownOperator(node) === undefined ? [] : node.op)))
  const unknown = [...used].sort()
  const flow = unknown.filter(isFlow)
  const what =
    unknown.length > 0
      ? `uses operators that Pipilo does not translate: ${unknown.join(', ')}`
      : `holds nothing that can be computed: ${[...new Set(blocked.values())].join('; ')}`
  return new PipiloError('OPERATOR_UNSUPPORTED', `${graph.file} ${what}.`, {
    input: graph.file,
    hint: `${flow.length > 0 ? `${flow.join(', ')} are loops, branches or lists of tensors. ` : ''}Convert the model to ONNX (tf2onnx) and open the .onnx file instead.`,
  })
}

const isFlow = (op: string): boolean => CONTROL_FLOW.has(op) || op.startsWith('Tensor')

/** Why an operator is not translated; undefined for one that is. */
function unknownOperator({ name, op }: NodeDef): string | undefined {
  if (INPUTS.has(op) || Object.hasOwn(OPERATORS, op)) return undefined
  const flow =
    CONTROL_FLOW.has(op) || op.startsWith('Tensor') ? ', one of loops, branches or lists of tensors' : ''
  return `${name} is an operator that is not translated, ${op}${flow}`
}

/** Nodes that give what comes from outside. */
const INPUTS: ReadonlySet<string> = new Set(['Placeholder', 'Const'])

/** Inputs in the place of placeholders. */
interface Inputs {
  /** Adds the inputs to the graph and says which values, by the names of nodes, they are. */
  readonly add: (builder: Builder) => ReadonlyMap<string, Laid>
}

interface Translated {
  readonly graph: Graph
  /** Why nodes cannot be computed, by their names. */
  readonly blocked: ReadonlyMap<string, string>
}

/** @param strict a node whose rule does not fit is an error; else it is one that cannot be computed */
function translate(
  graph: NodeGraph,
  weights: Weights,
  inputs: Inputs | RaggedText | undefined,
  strict = false,
): Translated {
  const builder = new Builder({ name: 'tfjs' })
  const values = new Map<string, readonly Laid[]>()
  const blocked = new Map<string, string>()
  /** Results that nothing has read yet. */
  const unread = new Set<string>()
  for (const [name, laid] of inputs?.add(builder) ?? []) values.set(name, [laid])
  for (const node of inOrder(withoutUnknown(graph))) {
    if (values.has(node.name)) continue
    const behind = node.inputs.map(({ node: name }) => blocked.get(name)).find((each) => each !== undefined)
    const reason = behind ?? unknownOperator(node)
    const results =
      reason ??
      tryNode(() => {
        const reads = node.inputs.map(({ node: name, output }) => {
          const laid = values.get(name)?.[output]
          return laid ?? raise(brokenGraph(graph.file, `${node.name} reads output ${output} of ${name}`))
        })
        return addNode(builder, node, reads, weights)
      }, strict)
    if (typeof results === 'string') {
      blocked.set(node.name, results)
      continue
    }
    values.set(node.name, results)
    for (const { node: name } of node.inputs) unread.delete(name)
    if (!INPUTS.has(node.op)) unread.add(node.name)
  }
  const whole = graph.outputs.filter(({ node }) => !blocked.has(node))
  const isFeature = (name: string) => {
    const [laid] = values.get(name) ?? []
    return laid !== undefined && laid.rank >= 2 && laid.value.dtype === 'float32'
  }
  const ends = whole.length > 0 ? whole : [...unread].filter(isFeature).map((node) => ({ node, output: 0 }))
  if (ends.length === 0) throw nothing(graph, blocked)
  for (const { node, output } of ends) {
    const laid =
      values.get(node)?.[output] ?? raise(brokenGraph(graph.file, `${node} has no output ${output}`))
    const value = laid.order === 'map' ? laid.map : laid.value
    builder.output(output === 0 ? node : `${node}:${output}`, value)
  }
  return { graph: prune(builder.build(), { keepInputs: true }), blocked }
}

/** The graph with operators that are not translated reading nothing, so that loops end there; what they read is wanted all the same. */
function withoutUnknown(graph: NodeGraph): NodeGraph {
  const unknown = needed(graph).filter((node) => unknownOperator(node) !== undefined)
  if (unknown.length === 0) return graph
  const cut = new Map([
    ...graph.nodes,
    ...unknown.map((node) => [node.name, { ...node, inputs: [] }] as const),
  ])
  return { ...graph, nodes: cut, outputs: [...graph.outputs, ...unknown.flatMap(({ inputs }) => inputs)] }
}

function tryNode(add: () => readonly Laid[], strict: boolean): readonly Laid[] | string {
  try {
    return add()
  } catch (error) {
    if (strict || !(error instanceof PipiloError) || error.code !== 'OPERATOR_UNSUPPORTED') throw error
    return error.message.split(', which is not supported')[0]!
  }
}

function addNode(
  builder: Builder,
  node: NodeDef,
  inputs: readonly Laid[],
  weights: Weights,
): readonly Laid[] {
  const call = new NodeCall(builder, node, inputs)
  if (node.op === 'Const') {
    const shape = weights.shapeOf(node.name)
    if (shape) return [new Weight(builder, node.name, shape, weights)]
    throw new PipiloError('PARAMETER_MISSING', `The model holds no weight ${node.name}.`, {
      input: node.name,
      hint: 'The topology and the weights are not of one model.',
    })
  }
  if (node.op === 'Placeholder') return [new OwnOrder(placeholder(call))]
  const results = builder.scope(node.name, { kind: node.op }, () => [OPERATORS[node.op]!(call)].flat())
  return results.map((result) => ('order' in result ? result : new OwnOrder(result)))
}

/** An input as the model states it; the first axis is the batch where its size is open. */
function placeholder(call: NodeCall) {
  const { name } = call.node
  const dimensions = call.dimensions('shape') ?? call.unsupported('an input of any number of axes')
  const shape = dimensions.map((size, axis): Dimension => size ?? (axis === 0 ? 'batch' : `${name}_${axis}`))
  return call.builder.input(name, call.dtype('dtype'), shape)
}

/** A model's one input, where that is a float picture of known size. */
interface PictureInput {
  readonly node: string
  readonly batch: number | undefined
  readonly size: readonly [height: number, width: number]
  readonly channels: number
}

function pictureInput(graph: NodeGraph): PictureInput | undefined {
  const inputs = needed(graph).filter(({ op }) => op === 'Placeholder')
  if (inputs.length !== 1) return undefined
  const node = inputs[0]!
  const call = new NodeCall(new Builder(), node, [])
  const [batch, height, width, channels, ...more] = call.dimensions('shape') ?? []
  const isPicture = call.dtype('dtype') === 'float32' && more.length === 0 && (channels ?? 0) <= 4
  if (!isPicture || !height || !width || !channels) return undefined
  return { node: node.name, batch, size: [height, width], channels }
}

/** A model that was converted for one picture takes many, unless something in it says otherwise. */
function pictureGraph(graph: NodeGraph, weights: Weights, picture: PictureInput): Translated {
  const { node, batch, size, channels } = picture
  const taking = (count: Dimension, strict = false) =>
    translate(
      graph,
      weights,
      {
        add: (builder) =>
          new Map([
            [node, new FeatureMap(builder.input('pixel_values', 'float32', [count, channels, ...size]))],
          ]),
      },
      strict,
    )
  if (batch === undefined) return taking('batch')
  const many = batch === 1 ? attempt(() => taking('batch', true)) : undefined
  const isOpen = many?.graph.outputs.every(
    ({ type }) => type?.kind === 'tensor' && type.shape?.[0] === 'batch',
  )
  return many && isOpen ? many : taking(batch)
}

/** The result, or undefined where the computation does not fit the shapes. */
function attempt<T>(compute: () => T): T | undefined {
  try {
    return compute()
  } catch (error) {
    if (error instanceof PipiloError) return undefined
    throw error
  }
}

function raise(error: PipiloError): never {
  throw error
}
