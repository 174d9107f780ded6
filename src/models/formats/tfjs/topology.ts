// Reads the layers of a Keras model from its topology.
import { PipiloError } from '../../../base/index.ts'
import { isObject } from '../../files.ts'
import type { ModelJson } from './modelJson.ts'

/** Input of a layer: output `tensor` of the `call`-th use of `layer`. */
export interface LayerOutput {
  readonly layer: string
  readonly call: number
  readonly tensor: number
}

/** A Keras layer as model.json describes it. */
export interface KerasLayer {
  readonly name: string
  /** Keras' class name (`Conv2D`). */
  readonly kind: string
  readonly config: Readonly<Record<string, unknown>>
  /** A list of inputs for each time the layer is used: several when its weights are shared. */
  readonly calls: readonly (readonly LayerOutput[])[]
  /** Number of the first of the calls: 1 for most models used as layers, which Keras has called once itself. */
  readonly firstCall: 0 | 1
  /** For a model used as a layer. */
  readonly model?: KerasModel
  /** Part of a call that is not read here: numbers and settings that stand among its inputs. */
  readonly refused?: string
  /** Keras 3, where some activations mean other numbers. */
  readonly keras3?: boolean
}

/** A functional model; a sequential one is read as a chain. */
export interface KerasModel {
  readonly name: string
  readonly layers: readonly KerasLayer[]
  readonly inputs: readonly LayerOutput[]
  readonly outputs: readonly LayerOutput[]
}

const MODEL_KINDS = ['Model', 'Functional', 'Sequential']
const MAX_NESTING = 20

/**
 * The Keras model that a model.json describes.
 *
 * @throws PipiloError `FORMAT_UNSUPPORTED` (graph models), `MODEL_INVALID`
 */
export function readKerasModel({ file, format, topology }: ModelJson): KerasModel {
  if (format === 'graph') {
    throw new PipiloError('FORMAT_UNSUPPORTED', `${file} is a graph model, which has no Keras layers.`, {
      input: file,
    })
  }
  const keras3 = String(topology['keras_version'] ?? '').startsWith('3')
  const root = isObject(topology['model_config']) ? topology['model_config'] : topology
  const kind = root['class_name']
  if (typeof kind !== 'string' || !MODEL_KINDS.includes(kind)) {
    throw new PipiloError('FORMAT_UNSUPPORTED', `${file} describes a ${String(kind)}, not a Keras model.`, {
      input: file,
      hint: `Models of the kinds ${MODEL_KINDS.join(', ')} are read.`,
    })
  }
  return readModel(root, kind, { file, keras3 }, 0)
}

function readModel(
  description: Record<string, unknown>,
  kind: string,
  origin: Origin,
  depth: number,
): KerasModel {
  const { file } = origin
  const { config } = description
  if (depth > MAX_NESTING) throw broken(file, `models nest deeper than ${MAX_NESTING}`)
  // Sequential models were once a bare list of layers.
  const settings = Array.isArray(config) ? { layers: config as unknown[] } : config
  if (!isObject(settings) || !Array.isArray(settings['layers']))
    throw broken(file, 'a model has no list "layers"')
  const name = typeof settings['name'] === 'string' ? settings['name'] : 'model'
  const layers = (settings['layers'] as unknown[]).map((layer) => readLayer(layer, origin, depth))
  const names = new Set(layers.map((layer) => layer.name))
  if (names.size !== layers.length) throw broken(file, 'two layers have the same name')
  if (kind === 'Sequential') return chain(name, layers, file)
  const inputs = readOutputs(settings['input_layers'], file)
  const outputs = readOutputs(settings['output_layers'], file)
  const used = [...inputs, ...outputs, ...layers.flatMap((layer) => layer.calls.flat())]
  const missing = used.find(({ layer }) => !names.has(layer))
  if (missing) throw broken(file, `a layer reads from ${missing.layer}, which does not exist`)
  const fromZero = new Set(used.filter(({ call }) => call === 0).map(({ layer }) => layer))
  return {
    name,
    layers: layers.map((layer) =>
      layer.model && !fromZero.has(layer.name) ? { ...layer, firstCall: 1 } : layer,
    ),
    inputs,
    outputs,
  }
}

/** The file of a topology, and the Keras that wrote it. */
interface Origin {
  readonly file: string
  readonly keras3: boolean
}

function readLayer(layer: unknown, origin: Origin, depth: number): KerasLayer {
  const { file } = origin
  if (!isObject(layer) || typeof layer['class_name'] !== 'string' || !layer['config']) {
    throw broken(file, 'a layer lacks its "class_name" or "config"')
  }
  const kind = layer['class_name']
  const config = isObject(layer['config']) ? layer['config'] : {}
  const name = layer['name'] ?? config['name']
  if (typeof name !== 'string' || name === '') throw broken(file, `a layer of kind ${kind} has no name`)
  const nodes = layer['inbound_nodes'] ?? []
  if (!Array.isArray(nodes)) throw broken(file, `"inbound_nodes" of ${name} is no list`)
  const keras3 = origin.keras3 || nodes.some(isObject)
  let refused: string | undefined
  const calls = nodes.map((node: unknown) => {
    if (!isObject(node)) return readOutputs(node, file)
    const call = readCall(node, file)
    refused ??= call.refused
    return call.reads
  })
  const read = { name, kind, config, calls, firstCall: 0 as const, keras3, ...(refused && { refused }) }
  if (!MODEL_KINDS.includes(kind)) return read
  return { ...read, model: readModel(layer, kind, { file, keras3 }, depth + 1) }
}

/** Settings of a call that change nothing when a model is used. */
const calm: Readonly<Record<string, readonly unknown[]>> = { training: [false, null], mask: [null] }

/** A call as Keras 3 writes it: `{ args, kwargs }`, in which tensors say where they come from. */
function readCall(
  { args = [], kwargs = {} }: Record<string, unknown>,
  file: string,
): { readonly reads: LayerOutput[]; readonly refused?: string | undefined } {
  if (!Array.isArray(args) || !isObject(kwargs)) throw broken(file, 'a call lacks its "args" or "kwargs"')
  const reads: LayerOutput[] = []
  let refused: string | undefined
  const waiting: unknown[] = [...args].reverse()
  while (waiting.length > 0) {
    const value = waiting.pop()
    if (Array.isArray(value)) waiting.push(...value.toReversed())
    else if (isObject(value) && value['class_name'] === '__keras_tensor__') {
      const { config } = value
      reads.push(...readOutputs(isObject(config) ? config['keras_history'] : undefined, file))
    } else if (value !== null) refused ??= `${JSON.stringify(value)?.slice(0, 60)} among its inputs`
  }
  for (const [name, value] of Object.entries(kwargs)) {
    const isCalm = value === null || (Object.hasOwn(calm, name) && calm[name]!.includes(value))
    if (!isCalm) refused ??= `the setting ${name} of a call`
  }
  return { reads, refused }
}

/** One `["layer", 0, 0]`, or a list of them. */
function readOutputs(value: unknown, file: string): LayerOutput[] {
  // Keras 3 names inputs and outputs where a model has them in a dictionary.
  if (isObject(value)) return Object.values(value).flatMap((entry) => readOutputs(entry, file))
  if (!Array.isArray(value)) throw broken(file, 'a list of inputs or outputs is missing')
  const entries: unknown[] = typeof value[0] === 'string' ? [value] : value
  return entries.map((entry) => {
    const [layer, call = 0, tensor = 0] = Array.isArray(entry) ? (entry as unknown[]) : []
    if (typeof layer !== 'string' || !isIndex(call) || !isIndex(tensor)) {
      throw broken(file, 'an input or output is not of the form ["layer", 0, 0]')
    }
    return { layer, call, tensor }
  })
}

/** A sequential model as a functional one. Its first layer may say the shape of the input itself. */
function chain(name: string, layers: readonly KerasLayer[], file: string): KerasModel {
  const first = layers[0]
  if (!first) throw broken(file, 'a sequential model has no layers')
  const input =
    first.kind === 'InputLayer'
      ? []
      : [
          {
            name: `${name}_input`,
            kind: 'InputLayer',
            config: (first.model ? innerInput(first.model) : first).config,
            calls: [],
            firstCall: 0 as const,
          },
        ]
  const all = [...input, ...layers]
  const chained = all.map((layer, i) => {
    const before = all[i - 1]
    return before ? { ...layer, calls: [[{ layer: before.name, call: 0, tensor: 0 }]] } : layer
  })
  const last = chained[chained.length - 1]!
  return {
    name,
    layers: chained,
    inputs: [{ layer: chained[0]!.name, call: 0, tensor: 0 }],
    outputs: [{ layer: last.name, call: 0, tensor: 0 }],
  }
}

function innerInput(model: KerasModel): { config: Readonly<Record<string, unknown>> } {
  const input = model.layers.find((layer) => layer.name === model.inputs[0]?.layer)
  return { config: input?.config ?? {} }
}

function isIndex(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function broken(file: string, what: string): PipiloError {
  return new PipiloError('MODEL_INVALID', `${file} is broken: ${what}.`, { input: file })
}
