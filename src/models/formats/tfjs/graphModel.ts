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
 * @throws PipiloError `FILE_NOT_FOUND`, `FORMAT_INVALID`, `FORMAT_UNSUPPORTED`, `MODEL_INVALID`, `OPERATOR_UNSUPPORTED`
 * (with all operators that are missing), `PARAMETER_MISSING`
 */
export async function readTfjsGraphModel(json: ModelJson): Promise<TfjsGraphModel> {
  if (json.format !== 'graph') {
    throw new PipiloError('FORMAT_UNSUPPORTED', `${json.file} is a layers model, not a graph model.`, {
      input: json.file,
    })
  }
  const stated = readNodes(json)
  refuseUnknownOperators(stated)
  const weights = await Weights.read(json)
  const read = new Set(needed(stated).map(({ name }) => name))
  const common = {
    files: [json.path, ...weights.files],
    unused: weights.names.filter((name) => !read.has(name)),
  }
  const nodes = simplified(stated, weights)
  const text = raggedText(nodes, weights)
  if (text) {
    const graph = translate(text.nodes, weights, text)
    return { ...common, graph, maxLength: text.maxLength }
  }
  const picture = pictureInput(nodes)
  if (!picture) return { ...common, graph: translate(nodes, weights, undefined) }
  return { ...common, graph: pictureGraph(nodes, weights, picture), inputSize: picture.size }
}

function refuseUnknownOperators(graph: NodeGraph): void {
  const used = new Set(needed(graph).map(({ op }) => op))
  const unknown = [...used].filter((op) => !INPUTS.has(op) && !Object.hasOwn(OPERATORS, op)).sort()
  if (unknown.length === 0) return
  const flow = unknown.filter((op) => CONTROL_FLOW.has(op) || op.startsWith('Tensor'))
  throw new PipiloError(
    'OPERATOR_UNSUPPORTED',
    `${graph.file} uses operators that Pipilo does not translate: ${unknown.join(', ')}.`,
    {
      input: graph.file,
      hint:
        flow.length > 0
          ? `${flow.join(', ')} are loops, branches or lists of tensors. Convert the model to ONNX (tf2onnx) and open the .onnx file instead.`
          : 'Convert the model to ONNX (tf2onnx) and open the .onnx file instead.',
    },
  )
}

/** Nodes that give what comes from outside. */
const INPUTS: ReadonlySet<string> = new Set(['Placeholder', 'Const'])

/** Inputs in the place of placeholders. */
interface Inputs {
  /** Adds the inputs to the graph and says which values, by the names of nodes, they are. */
  readonly add: (builder: Builder) => ReadonlyMap<string, Laid>
}

function translate(graph: NodeGraph, weights: Weights, inputs: Inputs | RaggedText | undefined): Graph {
  const builder = new Builder({ name: 'tfjs' })
  const values = new Map<string, readonly Laid[]>()
  for (const [name, laid] of inputs?.add(builder) ?? []) values.set(name, [laid])
  for (const node of inOrder(graph)) {
    if (values.has(node.name)) continue
    const reads = node.inputs.map(({ node: name, output }) => {
      const laid = values.get(name)?.[output]
      return laid ?? raise(brokenGraph(graph.file, `${node.name} reads output ${output} of ${name}`))
    })
    values.set(node.name, addNode(builder, node, reads, weights))
  }
  for (const { node, output } of graph.outputs) {
    const laid =
      values.get(node)?.[output] ?? raise(brokenGraph(graph.file, `${node} has no output ${output}`))
    const value = laid.order === 'map' ? laid.map : laid.value
    builder.output(output === 0 ? node : `${node}:${output}`, value)
  }
  return prune(builder.build(), { keepInputs: true })
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
function pictureGraph(graph: NodeGraph, weights: Weights, picture: PictureInput): Graph {
  const { node, batch, size, channels } = picture
  const taking = (count: Dimension) =>
    translate(graph, weights, {
      add: (builder) =>
        new Map([
          [node, new FeatureMap(builder.input('pixel_values', 'float32', [count, channels, ...size]))],
        ]),
    })
  if (batch === undefined) return taking('batch')
  const many = batch === 1 ? attempt(() => taking('batch')) : undefined
  const isOpen = many?.outputs.every(({ type }) => type?.kind === 'tensor' && type.shape?.[0] === 'batch')
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
