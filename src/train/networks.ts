/** Networks in the form that is trained: fresh ones by the name of an architecture, and opened models. */

import { join } from 'node:path'
import { checkOptions, is, type OptionTable, PipiloError } from '../base/index.ts'
import { loadTokenizer } from '../embed/index.ts'
import { Builder, type Graph, type Initializer, loadTensor, op, parametersOf, widen } from '../graph/index.ts'
import { type Model, openForTraining, writeLora } from '../models/index.ts'
import {
  addLora,
  architecture,
  type BuiltModel,
  findArchitecture,
  type LoraOptions,
  loraParameters,
  mergeLora,
  pool,
} from '../nn/index.ts'
import type { Tensor } from '../tensor/index.ts'
import { withWeights } from './evaluation.ts'
import { maskingOf } from './masking.ts'
import type { Network, NetworkImage } from './objective.ts'
import { writeOnnxFolder } from './save/onnxFolder.ts'
import { isWritable, writeOpenedFolder } from './save/openedFolder.ts'
import { isSentenceModel, writeSentenceFolder } from './save/sentenceFolder.ts'
import { writeTimmFolder } from './save/timmFolder.ts'

const freshNetworkTypes: OptionTable<FreshNetworkOptions> = {
  config: is.record,
  size: is.listOf(is.count(1), 2, 2),
  mean: is.listOf(is.numeric()),
  std: is.listOf(is.numeric()),
  seed: is.integer,
  checkpoint: is.instance('a Map of tensors', 'get', 'has'),
}

const openedNetworkTypes: OptionTable<OpenedNetworkOptions> = {
  size: is.listOf(is.count(1), 2, 2),
  maxLength: is.count(1),
  lora: is.record,
}

/** Options of {@link freshNetwork}. */
export interface FreshNetworkOptions {
  /** Differences from the architecture's own configuration: `{ num_classes: 10 }`. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Height and width of the pictures. Default: the architecture's. */
  readonly size?: readonly [height: number, width: number]
  /** Mean and deviation of the pictures' channels, of values from 0 to 1. Default: 0 and 1. */
  readonly mean?: readonly number[]
  readonly std?: readonly number[]
  /** Seed of the weights. Default 0. */
  readonly seed?: number
  /** Weights to begin with, by PyTorch's names. Default: drawn. */
  readonly checkpoint?: ReadonlyMap<string, Initializer>
}

/**
 * A network that is not trained yet, by the name of its architecture.
 *
 * @example
 * ```ts
 * const network = freshNetwork('resnet18', { config: { num_classes: 10 }, size: [64, 64], seed: 1 })
 * ```
 *
 * @throws `MODEL_INVALID` with the closest names; what the architecture throws
 */
export function freshNetwork(name: string, options: FreshNetworkOptions = {}): Network {
  checkOptions('freshNetwork', options, freshNetworkTypes)
  const { build, modality, isSized } = architecture(name)
  if (modality !== 'image') {
    throw new PipiloError('OPTION_INVALID', `${name} is a text model: open one with its tokenizer.`, {
      input: name,
    })
  }
  if (!findArchitecture(name, 'timm')) {
    throw new PipiloError(
      'OPTION_INVALID',
      `${name} is a type of transformers' models, of no size of its own.`,
      {
        input: name,
        hint: `Choose a network by timm's name, such as vit_tiny_patch16_224, or open a model of that type.`,
      },
    )
  }
  const { config = {}, seed = 0, size, checkpoint } = options
  const at = size ? { size } : {}
  const inMode = (mode: 'inference' | 'training', weights = checkpoint): BuiltModel =>
    build(config, weights, { mode, seed, ...at })
  const [training, inference] = [inMode('training'), inMode('inference')]
  const image = pictureOf(training.graph, name, options)
  // timm builds a transformer for the size that its settings say, whatever the pictures' is.
  const written = isSized && size ? { ...config, img_size: size } : config
  return {
    name,
    training: training.graph,
    inference: inference.graph,
    representation: training.penultimate ?? training.features ?? training.graph.outputs[0]!.name,
    image,
    write: (folder, weights) => writeTimmFolder(folder, { name, config: written, image, weights }),
  }
}

/**
 * Size, channels and statistics of the pictures that a graph takes.
 *
 * @throws `OPTION_INVALID` for statistics of other channels, or a deviation that is not above 0
 */
export function pictureOf(
  graph: Graph,
  name: string,
  { mean, std }: Pick<FreshNetworkOptions, 'mean' | 'std'>,
): NetworkImage {
  const picture = sizeOf(graph, name)
  for (const [input, given] of Object.entries({ mean, std })) {
    if (given === undefined || given.length === picture.channels) continue
    throw new PipiloError(
      'OPTION_INVALID',
      `${input} has ${given.length} numbers; ${name} takes pictures of ${picture.channels} channels.`,
      { input, hint: `Give ${picture.channels === 1 ? 'one number' : 'three numbers'}.` },
    )
  }
  const small = std?.find((deviation) => !(deviation > 0))
  if (small !== undefined)
    throw new PipiloError('OPTION_INVALID', `std has ${small}; deviations are above 0.`, { input: 'std' })
  return { ...picture, ...(mean && { mean }), ...(std && { std }) }
}

function sizeOf(graph: Graph, name: string): Pick<NetworkImage, 'size' | 'channels'> {
  const type = graph.inputs.find((input) => input.name === 'pixel_values')?.type
  const [, channels, height, width] = type?.kind === 'tensor' ? (type.shape ?? []) : []
  if ((channels === 1 || channels === 3) && typeof height === 'number' && typeof width === 'number') {
    return { size: [height, width], channels }
  }
  throw new PipiloError(
    'OPTION_INVALID',
    `The size of the pictures that ${name} is trained on is not known.`,
    {
      input: 'size',
      hint: 'Name it: size: [64, 64].',
    },
  )
}

/** Options of {@link openedNetwork}. */
export interface OpenedNetworkOptions {
  /** Height and width of the pictures. Default: the model's. */
  readonly size?: readonly [height: number, width: number]
  /** Most tokens read of a text; the model's own limit holds where it is lower. Default: that. */
  readonly maxLength?: number
  /** Train low-rank changes of its linear layers in place of its weights; of models of texts. Default: none. */
  readonly lora?: Omit<LoraOptions, 'tensors' | 'mode'>
}

/**
 * An opened model in the form that is trained further.
 *
 * @example
 * ```ts
 * const network = await openedNetwork('all-MiniLM-L6-v2')
 * ```
 *
 * @remarks
 * The run's folder gets the configuration that the model was opened with beside the new weights. A model without one (of one file, `.onnx` or
 * TensorFlow.js, from a hub, or with a card of the caller's own) becomes `model.onnx`, with preparation, tap, pooling and normalisation in it.
 *
 * A text model's representation is its pooled vector, not normalised: objectives that compare by cosine normalise it themselves. With
 * `lora`, the run's folder gets the weights with the changes added in, and the changes alone in `adapter/`, as PEFT writes them.
 * Batch normalisations of a model that is not built here keep their statistics, as in PyTorch's evaluation mode.
 *
 * @throws what `open` throws; `OPTION_INVALID` for `lora` or `maxLength` of a model of pictures
 */
export async function openedNetwork(name: string, options: OpenedNetworkOptions = {}): Promise<Network> {
  checkOptions('openedNetwork', options, openedNetworkTypes)
  const { model, training } = await openForTraining(name, options.size ? { size: options.size } : {})
  if (model.modality === 'text') return sentenceNetwork(model, training, options)
  if (model.modality === 'tensor') {
    throw new PipiloError(
      'OPTION_INVALID',
      `${model.name} takes tensors; the recipes train on texts and pictures.`,
      {
        input: name,
      },
    )
  }
  for (const name of ['lora', 'maxLength'] as const) {
    if (options[name] === undefined) continue
    throw new PipiloError('OPTION_INVALID', `${name} is of no use: ${model.name} takes no texts.`, {
      input: name,
    })
  }
  return pictureNetwork(model, training)
}

async function sentenceNetwork(
  model: Model,
  trained: Model,
  { maxLength, lora }: OpenedNetworkOptions,
): Promise<Network> {
  if (model.tokenizer === undefined) {
    throw new PipiloError('MODEL_INVALID', `${model.name} has no tokenizer.`, { input: model.name })
  }
  const { text } = model.card
  const tokenizer = await loadTokenizer(model.tokenizer, {
    ...(text?.lowercase && { lowercase: true }),
    ...(text?.clean && { clean: text.clean }),
  })
  const limit = Math.min(maxLength ?? Number.POSITIVE_INFINITY, text?.maxLength ?? 512)
  const pooled = { normalize: false } as const
  const [training, inference] = [
    await widen(trained.embedding(pooled), loadTensor),
    await widen(model.embedding(pooled), loadTensor),
  ]
  const masking = await maskingOf(model, training)
  const plain = {
    name: model.name,
    representation: 'embedding',
    text: {
      encode: (texts: readonly string[]) => texts.map((each) => tokenizer.encode(each, limit).ids),
      paddingId: tokenizer.padId,
      ...(masking && { masking }),
    },
  }
  const isSentences = await isSentenceModel(
    model,
    parametersOf(inference).map(({ name }) => name),
  )
  const write = isSentences
    ? (folder: string, weights: ReadonlyMap<string, Tensor>) =>
        writeSentenceFolder(folder, { model, weights })
    : graphWriter(model, inference, 'embedding', model.card.dimensions)
  if (!lora) return { ...plain, training, inference, write }
  const adapted = addLora(inference, { ...lora, mode: 'inference' })
  const named = addLora(training, { ...lora, mode: 'training' })
  return {
    ...plain,
    training: named,
    inference: adapted,
    trainable: loraParameters(named),
    write: async (folder, weights) => {
      const changed = withWeights(adapted, weights)
      const merged = await mergeLora(changed)
      await writeLora(join(folder, 'adapter'), changed, { base: model.card.source })
      const whole = parametersOf(merged).map(
        async ({ name }) => [name, await loadTensor(merged.initializers.get(name)!)] as const,
      )
      await write(folder, new Map(await Promise.all(whole)))
    },
  }
}

async function pictureNetwork(model: Model, training: Model): Promise<Network> {
  const { image, penultimate } = model.card
  if (!image) {
    throw new PipiloError('MODEL_INVALID', `${model.name} says nothing of its pictures.`, {
      input: model.name,
    })
  }
  const { size, channels = 3, mean, std, ...preparation } = image
  const known = parametersOf(model.graph).length
  if (known === 0)
    throw new PipiloError('MODEL_INVALID', `${model.name} has no weights.`, { input: model.name })
  const place = model.resolve(penultimate ?? model.card.tap)
  const dimensions = model.cut(place).card.dimensions
  const inference = pooledAt(place, await widen(model.graph, loadTensor), model)
  const trained = pooledAt(place, await widen(training.graph, loadTensor), model)
  const { representation } = inference
  return {
    name: model.name,
    training: trained.graph,
    inference: inference.graph,
    representation,
    image: { size, channels, mean, std, preparation },
    write: (await isWritable(model))
      ? (folder, weights) => writeOpenedFolder(folder, { model, weights })
      : graphWriter(model, inference.graph, representation, dimensions),
  }
}

/** The output that is added where the embedding is pooled from a map or from tokens. */
const POOLED = 'pooled_representation'

/** The graph with one vector a picture, as an embedder pools it, and the vector's name. */
function pooledAt(
  place: string,
  graph: Graph,
  { card, places }: Model,
): { readonly graph: Graph; readonly representation: string } {
  const builder = Builder.from(graph)
  const value = builder.value(place)
  const rank = value.shape.length
  if (card.pool === 'none' || card.pool === 'flatten' || (rank !== 3 && rank !== 4))
    return { graph, representation: place }
  const { pool: pooling } = card
  const map = rank === 4 && places?.channelsLast ? op.transpose(value, [0, 3, 1, 2]) : value
  builder.output(
    POOLED,
    builder.scope('pooling', () => pool(map, pooling)),
  )
  return { graph: builder.build(), representation: POOLED }
}

/** Writes the whole graph, for a model that has no configuration. */
function graphWriter(
  model: Model,
  inference: Graph,
  representation: string,
  dimensions: number,
): NonNullable<Network['write']> {
  return (folder, weights) =>
    writeOnnxFolder(folder, { model, graph: withWeights(inference, weights), representation, dimensions })
}
