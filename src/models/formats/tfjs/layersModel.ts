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
  /** Layers that are not in the graph, because one of a kind that is not translated stands before them, and why. */
  readonly blocked: ReadonlyMap<string, string>
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
  const weights = await Weights.read(json)
  const builder = new Builder({ name: model.name })
  const input = pictureInput(model, file)
  const pixels = builder.input(PIXELS, 'float32', ['batch', input.channels, ...input.size])
  const reading: Reading = { builder, weights, file, blocked: new Map(), computed: new Map() }
  const outputs = addModel(reading, model, [pixels])
  for (const [i, output] of model.outputs.entries()) {
    if (outputs[i]) builder.output(output.layer, outputs[i])
  }
  if (!outputs.some(Boolean)) {
    refuseAll(reading)
    for (const [name, value] of reading.computed) builder.output(name, value)
  }
  return {
    blocked: reading.blocked,
    graph: builder.build(),
    inputSize: input.size,
    penultimate: belowHead(model),
    unused: weights.unused(),
    files: [json.path, ...weights.files],
  }
}

/** A reading of a model: what was computed so far, and what cannot be. */
interface Reading {
  readonly builder: Builder
  readonly weights: Weights
  readonly file: string
  /** Why layers cannot be computed, by their names with those of the models around them. */
  readonly blocked: Map<string, string>
  /** Results that no layer has read yet. */
  readonly computed: Map<string, Value>
}

/** @throws PipiloError `OPERATOR_UNSUPPORTED` where nothing could be computed */
function refuseAll({ computed, blocked, file }: Reading): void {
  if (computed.size > 0) return
  const reasons = [...new Set(blocked.values())]
  throw new PipiloError(
    'OPERATOR_UNSUPPORTED',
    `No layer of ${file} can be computed: ${reasons.join('; ')}.`,
    {
      input: file,
      hint: `Known kinds are ${Object.keys(LAYERS).join(', ')}. Convert the model to ONNX (tf2onnx) and open the .onnx file instead.`,
    },
  )
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

/**
 * Adds every use of every layer, each once what it reads is there, and returns the model's outputs; undefined for those that a layer
 * of an unknown kind keeps from being computed.
 *
 * @param within names of the models around it, each with a dot behind it
 */
function addModel(
  reading: Reading,
  model: KerasModel,
  inputs: readonly Value[],
  within = '',
): (Value | undefined)[] {
  const { file, blocked, computed } = reading
  const key = ({ layer, call, tensor }: LayerOutput) => JSON.stringify([layer, call, tensor])
  const callOf = ({ layer, call }: Pick<LayerOutput, 'layer' | 'call'>) => JSON.stringify([layer, call])
  const values = new Map(model.inputs.map((input, i) => [key(input), inputs[i]!]))
  const lost = new Map<string, string>()
  let waiting = model.layers
    .filter((layer) => layer.kind !== 'InputLayer')
    .flatMap((layer) => layer.calls.map((reads, i) => ({ layer, reads, call: i + layer.firstCall })))
  while (waiting.length > 0) {
    const later: typeof waiting = []
    for (const use of waiting) {
      const { name } = use.layer
      const reason = use.reads.map((read) => lost.get(callOf(read))).find((each) => each !== undefined)
      const read = use.reads.map((each) => values.get(key(each)))
      if (reason === undefined && !read.every((value) => value !== undefined)) {
        later.push(use)
        continue
      }
      const results = reason ?? addLayer(reading, use.layer, read as Value[], within)
      if (typeof results === 'string') {
        lost.set(callOf({ layer: name, call: use.call }), results)
        if (!blocked.has(within + name)) blocked.set(within + name, results)
        continue
      }
      for (const value of read) forget(computed, value!)
      for (const [tensor, value] of results.entries()) {
        values.set(key({ layer: name, call: use.call, tensor }), value)
        if (!use.layer.model) computed.set(within + name, value)
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
    if (!value && !lost.has(callOf(output)))
      throw broken(file, `the output ${output.layer} is never computed`)
    return value
  })
}

function forget(computed: Map<string, Value>, value: Value): void {
  for (const [name, one] of computed) if (one === value) computed.delete(name)
}

/** The results of a layer, or the reason for which there are none. */
function addLayer(
  reading: Reading,
  layer: KerasLayer,
  inputs: readonly Value[],
  within: string,
): Value[] | string {
  const { name, kind, model } = layer
  const { builder, weights, file } = reading
  if (!model && !Object.hasOwn(LAYERS, kind)) return `${name} is a layer of an unknown kind, ${kind}`
  return builder.scope(name, { kind }, () => {
    if (model) {
      if (model.inputs.length !== inputs.length)
        throw broken(file, `${name} is given ${inputs.length} inputs`)
      const inner = `${within}${name}.`
      const outputs = addModel(reading, model, inputs, inner)
      if (outputs.every((value) => value !== undefined)) return outputs as Value[]
      return [...reading.blocked].find(([each]) => each.startsWith(inner))?.[1] ?? `${name} is not computed`
    }
    try {
      return [LAYERS[kind]!(new LayerCall(builder, layer, inputs, weights))]
    } catch (error) {
      if (error instanceof PipiloError && error.code === 'OPERATOR_UNSUPPORTED') {
        return error.message.split('.')[0]!
      }
      throw error
    }
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
