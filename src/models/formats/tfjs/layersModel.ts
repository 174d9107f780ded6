// Reads TensorFlow.js layers models (Keras) into graphs.
import { PipiloError } from '../../../base/index.ts'
import { Builder, type Graph, type Value } from '../../../graph/index.ts'
import { LayerCall } from './layerCall.ts'
import { LAYERS } from './layers.ts'
import type { ModelJson } from './modelJson.ts'
import { type KerasLayer, type KerasModel, type LayerOutput, readKerasModel } from './topology.ts'
import { Weights } from './weights.ts'

/** A TensorFlow.js layers model as a graph. */
export interface TfjsLayersModel {
  /**
   * Takes `pixel_values`, float32 [batch, channels, height, width]. An output is called as the layer that gives it. Feature
   * maps are in ONNX's order, [batch, channels, height, width], everywhere.
   */
  readonly graph: Graph
  /** Height and width of the pictures that it was made for. */
  readonly inputSize: readonly [height: number, width: number]
  /** The layer below the head: what the first of the dense layers at the end reads. */
  readonly penultimate: string
  /** Names of the weights that no layer asked for. */
  readonly unused: readonly string[]
  /** Names of the files that were read, within the model: the topology, then the shards. */
  readonly files: readonly string[]
}

const PIXELS = 'pixel_values'

/** Kinds of layers between the last features and the classes. */
const HEAD = ['Dense', 'Dropout', 'Activation', 'Softmax']

/**
 * Reads a TensorFlow.js layers model: `model.json` and its binary shards, or the same packed into JavaScript modules
 * (`model.min.js`, `group1-shard1of1.min.js`), which are read and never executed.
 *
 * @example
 * ```ts
 * const { graph } = await readTfjsLayersModel(await readModelJson(files))
 * ```
 *
 * @remarks
 * Format: https://github.com/tensorflow/tfjs/tree/master/tfjs-converter#format-conversion-examples. Layers keep their
 * Keras names. Quantised weights are made float32 as TensorFlow.js makes them.
 *
 * @throws PipiloError `FILE_NOT_FOUND`, `FORMAT_INVALID`, `FORMAT_UNSUPPORTED`, `MODEL_INVALID`, `OPERATOR_UNSUPPORTED`
 * (with all kinds that are missing), `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export async function readTfjsLayersModel(json: ModelJson): Promise<TfjsLayersModel> {
  const { file } = json
  const model = readKerasModel(json)
  refuseUnknownKinds(model, file)
  const weights = await Weights.read(json)
  const builder = new Builder({ name: model.name })
  const input = pictureInput(model, file)
  const pixels = builder.input(PIXELS, 'float32', ['batch', input.channels, ...input.size])
  const outputs = addModel(builder, model, [pixels], weights, file)
  for (const [i, output] of model.outputs.entries()) builder.output(output.layer, outputs[i]!)
  return {
    graph: builder.build(),
    inputSize: input.size,
    penultimate: belowHead(model),
    unused: weights.unused(),
    files: [json.path, ...weights.files],
  }
}

function refuseUnknownKinds(model: KerasModel, file: string) {
  const kindsOf = ({ layers }: KerasModel): string[] =>
    layers.flatMap((layer) => (layer.model ? kindsOf(layer.model) : [layer.kind]))
  const unknown = [...new Set(kindsOf(model))].filter(
    (kind) => kind !== 'InputLayer' && !Object.hasOwn(LAYERS, kind),
  )
  if (unknown.length > 0) {
    throw new PipiloError(
      'OPERATOR_UNSUPPORTED',
      `${file} has layers of unknown kinds: ${unknown.join(', ')}.`,
      {
        input: file,
        hint: `Known are ${Object.keys(LAYERS).join(', ')}. Convert the model to ONNX (tf2onnx) and open the .onnx file instead.`,
      },
    )
  }
}

function pictureInput(model: KerasModel, file: string) {
  const name = model.inputs[0]?.layer
  const layer = model.layers.find((candidate) => candidate.name === name)
  const shape = layer?.config['batch_input_shape'] ?? layer?.config['batch_shape']
  const [, height, width, channels] = Array.isArray(shape) ? (shape as unknown[]) : []
  const sizes = [height, width, channels]
  if (model.inputs.length !== 1 || !sizes.every((size) => Number.isSafeInteger(size) && Number(size) > 0)) {
    throw new PipiloError(
      'FORMAT_UNSUPPORTED',
      `${file} takes ${model.inputs.length} inputs, the first of shape ${JSON.stringify(shape) ?? 'unknown'}.`,
      {
        input: file,
        hint: 'Models are read that take one picture, [batch, height, width, channels], of a fixed size.',
      },
    )
  }
  return { size: [Number(height), Number(width)] as const, channels: Number(channels) }
}

/** Adds every use of every layer, each once what it reads is there, and returns the model's outputs. */
function addModel(
  builder: Builder,
  model: KerasModel,
  inputs: readonly Value[],
  weights: Weights,
  file: string,
): Value[] {
  const key = ({ layer, call, tensor }: LayerOutput) => JSON.stringify([layer, call, tensor])
  const values = new Map(model.inputs.map((input, i) => [key(input), inputs[i]!]))
  let waiting = model.layers
    .filter((layer) => layer.kind !== 'InputLayer')
    .flatMap((layer) =>
      layer.calls.map((reads, i) => ({ layer, reads: reads.map(key), call: i + layer.firstCall })),
    )
  while (waiting.length > 0) {
    const later: typeof waiting = []
    for (const use of waiting) {
      const read = use.reads.map((name) => values.get(name))
      if (!read.every((value) => value !== undefined)) {
        later.push(use)
        continue
      }
      const results = addLayer(builder, use.layer, read, weights, file)
      for (const [tensor, value] of results.entries()) {
        values.set(key({ layer: use.layer.name, call: use.call, tensor }), value)
      }
    }
    if (later.length === waiting.length) {
      throw broken(
        file,
        `nothing gives the layer ${later[0]!.layer.name} its inputs, or layers read in a circle`,
      )
    }
    waiting = later
  }
  return model.outputs.map((output) => {
    const value = values.get(key(output))
    if (!value) throw broken(file, `the output ${output.layer} is never computed`)
    return value
  })
}

function addLayer(
  builder: Builder,
  layer: KerasLayer,
  inputs: readonly Value[],
  weights: Weights,
  file: string,
): Value[] {
  const { name, kind, model } = layer
  return builder.scope(name, { kind }, () => {
    if (!model) return [LAYERS[kind]!(new LayerCall(builder, layer, inputs, weights))]
    if (model.inputs.length !== inputs.length) throw broken(file, `${name} is given ${inputs.length} inputs`)
    return addModel(builder, model, inputs, weights, file)
  })
}

/** The scope of the layer that gives the head its features; the output itself where there is no head. */
function belowHead(model: KerasModel): string {
  const byName = new Map(model.layers.map((layer) => [layer.name, layer]))
  let layer = byName.get(model.outputs[0]!.layer)!
  for (let steps = 0; HEAD.includes(layer.kind) && steps < model.layers.length; steps++) {
    layer = byName.get(layer.calls[0]![0]!.layer)!
  }
  if (layer.kind === 'InputLayer') return PIXELS
  return layer.model ? `${layer.name}.${belowHead(layer.model)}` : layer.name
}

function broken(file: string, what: string): PipiloError {
  return new PipiloError('MODEL_INVALID', `${file} is broken: ${what}.`, { input: file })
}
