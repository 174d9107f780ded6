// Model over its graph, card and places: layers, cuts, embeddings, saving.
import { readFile } from 'node:fs/promises'
import { fileError } from '../../base/files/index.ts'
import { checkOptions, PipiloError } from '../../base/index.ts'
import { type WriteOptions, writeOnnx } from '../../graph/files/index.ts'
import { cut, feed, type Graph, layers, roleOf, tap, type ValueInfo } from '../../graph/index.ts'
import { embeddingOptionTypes } from '../openOptions.ts'
import { writeSafetensors } from '../sources/safetensorsFile.ts'
import type { Card, EmbeddingOptions, Model, Opened, SaveOptions } from '../types.ts'
import { derivedFingerprint } from './derivedFingerprint.ts'
import { type EmbeddedModel, embeddingGraph, resolveEmbedding } from './embedding.ts'
import { checkLayerName, exportOptionTypes, saveOptionTypes } from './modelOptionTypes.ts'
import { findLayer, namedPlaces, placesLeft, resolvePlace } from './places.ts'
import { withPreprocessing } from './preprocessing.ts'
import { Running, withDefaults } from './running.ts'
import { cardKey, embeddingOutput, tokenizerKey } from './savedKeys.ts'
import { spelledAsPlace } from './spelledAsPlace.ts'
import { isVector } from './tensorPooling.ts'

/** Parts of a {@link Model}. */
export interface ModelParts {
  readonly card: Card
  readonly graph: Graph
  readonly tokenizer: string | undefined
  readonly unused: readonly string[]
  /** Names of the places that users ask for, where an architecture knows them. */
  readonly places?: Model['places'] | undefined
  readonly fingerprint: string
  /** Inputs of the file that have a value; the graph has them as initializers. */
  readonly defaults?: readonly ValueInfo[]
  readonly opened: Opened
  readonly folder?: string | undefined
}

/** A model over its parts. */
export function createModel(parts: ModelParts): Model {
  const { card, graph, tokenizer, places } = parts
  const defaults = parts.defaults?.filter(({ name }) => graph.initializers.has(name)) ?? []
  const whole: EmbeddedModel = { card, graph, ...(places ? { places } : {}) }
  const derived = (change: string, next: Graph, nextCard: Card = card): Model =>
    createModel({
      ...parts,
      card: nextCard,
      graph: next,
      places: places && placesLeft(next, places),
      fingerprint: derivedFingerprint(parts.fingerprint, change),
      opened: { ...parts.opened, changed: true },
    })

  const embedding = (options: EmbeddingOptions = {}): Graph => {
    checkOptions<EmbeddingOptions>('embedding', options, embeddingOptionTypes)
    return embeddingGraph(
      { ...whole, graph: withDefaults(graph, defaults, Object.keys(options.inputs ?? {})) },
      resolveEmbedding(card, options),
    )
  }
  const resolve = (layer: string): string => {
    checkLayerName(layer)
    return resolvePlace(whole, layer)
  }
  const running = new Running(card.name, graph, defaults, parts.opened.isolate)

  return {
    name: card.name,
    modality: card.modality,
    card,
    graph,
    ...(tokenizer === undefined ? {} : { tokenizer }),
    ...(parts.folder === undefined ? {} : { folder: parts.folder }),
    unused: parts.unused,
    ...(places === undefined ? {} : { places }),
    fingerprint: parts.fingerprint,
    ...(defaults.length > 0 && { defaults }),
    opened: parts.opened,
    layers: () => layers(graph),
    run: (feeds, outputs, options) => running.run(feeds, outputs, options),
    dispose: () => running.dispose(),
    [Symbol.asyncDispose]: () => running.dispose(),
    placeNames: () => namedPlaces(whole),
    resolve,
    cut(layer) {
      const name = resolve(layer)
      const next = cut(graph, name)
      const { penultimate, ...rest } = card
      const kept =
        penultimate !== undefined && findLayer(next, penultimate) !== undefined ? { penultimate } : {}
      const dimensions = featuresOf(next, card.modality, places) ?? card.dimensions
      return derived(`cut ${name}`, next, { ...rest, ...kept, tap: name, dimensions })
    },
    tap(...names) {
      const resolved = names.map(resolve)
      return derived(`tap ${resolved.join(' ')}`, tap(graph, ...resolved))
    },
    feed(layer, input) {
      const name = resolve(layer)
      const fed = input ?? inputName(layer)
      return derived(`feed ${name} ${fed}`, feed(graph, { [name]: fed }))
    },
    embedding,
    async save(path, options = {}) {
      checkOptions<SaveOptions>('save', options, saveOptionTypes)
      const { graph: saved, card: savedCard } = savedParts(whole, options)
      await write(path, saved, savedCard, tokenizer, options)
    },
    async export(path, options = {}) {
      checkOptions<EmbeddingOptions & WriteOptions>('export', options, exportOptionTypes)
      const wanted = resolveEmbedding(card, options)
      const exported = embeddingGraph(whole, wanted)
      const exportedCard = embeddedCard(exported, card, wanted.pool, wanted.normalize)
      await write(path, exported, exportedCard, tokenizer, options)
    },
    async saveParameters(path) {
      const named = [...graph.initializers].filter(([name]) => roleOf(graph, name))
      await writeSafetensors(path, new Map(named), new Map([['format', 'pt']]))
    },
  }
}

function savedParts(model: EmbeddedModel, options: SaveOptions): { graph: Graph; card: Card } {
  const { graph, card } = model
  const { pool, normalize = false, dimensions, preprocess = false } = options
  if (pool === undefined && !normalize && dimensions === undefined) {
    return { graph: preprocess ? withPreprocessing(graph, card) : graph, card }
  }
  const [output, ...others] = graph.outputs
  if (!output || others.length > 0) {
    throw new PipiloError(
      'OPTION_INVALID',
      `${card.name} has ${graph.outputs.length} outputs; which one to pool?`,
      {
        hint: 'Cut the model at one layer first, or use export() with a tap.',
      },
    )
  }
  const rank = output.type?.kind === 'tensor' ? output.type.shape?.length : undefined
  const wanted = { taps: [output.name], pool: pool ?? 'none', said: true, normalize, dimensions, preprocess }
  if (pool === undefined && rank !== 3 && rank !== 2) {
    throw new PipiloError('OPTION_INVALID', `${output.name} is a feature map: say how it is pooled.`, {
      hint: "For example pool: 'mean'.",
    })
  }
  // Vectors stay vectors where no pooling is asked for.
  const effective = pool === undefined && rank === 2 ? { ...wanted, pool: card.pool } : wanted
  const saved = embeddingGraph(model, effective)
  return { graph: saved, card: embeddedCard(saved, card, effective.pool, normalize) }
}

/** The card of a graph whose output is the embedding itself. */
function embeddedCard(graph: Graph, card: Card, pool: Card['pool'], normalize: boolean): Card {
  const { penultimate: _, ...rest } = card
  return {
    ...rest,
    tap: embeddingOutput,
    pool,
    normalize,
    dimensions: featuresOf(graph, card.modality) ?? card.dimensions,
  }
}

async function write(
  path: string,
  graph: Graph,
  card: Card,
  tokenizer: string | undefined,
  options: WriteOptions,
): Promise<void> {
  const metadata = new Map(graph.metadata).set(cardKey, JSON.stringify(card))
  if (tokenizer !== undefined) {
    const text = await readFile(tokenizer, 'utf8').catch((error: unknown) => {
      throw fileError(error, tokenizer, 'read')
    })
    metadata.set(tokenizerKey, text)
  }
  const { externalData } = options
  await writeOnnx({ ...graph, metadata }, path, externalData === undefined ? {} : { externalData })
}

/** Name of an input that takes the place of a layer: for a text model's words as in transformers. */
function inputName(layer: string): string {
  const name = spelledAsPlace(layer)
  return name === 'token_embeddings' ? 'inputs_embeds' : name
}

/** Length of the vectors of a graph's first output: its channels for a feature map, else its last axis; of tensors, only of vectors. */
export function featuresOf(
  graph: Graph,
  modality: Model['modality'],
  places?: Model['places'],
): number | undefined {
  const type = graph.outputs[0]?.type
  const shape = type?.kind === 'tensor' ? type.shape : undefined
  if (modality === 'tensor' && !(shape && isVector(shape))) return undefined
  const size = shape?.length === 4 && !places?.channelsLast ? shape[1] : shape?.at(-1)
  return typeof size === 'number' ? size : undefined
}
