// Names of places in a model that users tap, and the layers that they stand for.
import { closest, PipiloError } from '../../base/index.ts'
import { type Graph, layers, resolveLayer } from '../../graph/index.ts'
import type { Model } from '../types.ts'
import { spelledAsPlace } from './spelledAsPlace.ts'

type Places = NonNullable<Model['places']>

/** See {@link Model.placeNames}. */
export function namedPlaces({
  card,
  graph,
  places = {},
}: Pick<Model, 'card' | 'graph' | 'places'>): ReadonlyMap<string, string> {
  const numbered = (name: string, list: readonly string[] = []) =>
    list.map((layer, i) => [`${name}.${i}`, layer] as const)
  const pooling = poolingOf(graph) ?? (places.patchTokens === undefined ? undefined : card.penultimate)
  const all: readonly (readonly [name: string, layer: string | undefined])[] = [
    ['token_embeddings', places.tokenEmbeddings],
    ['embeddings', places.hiddenStates?.[0]],
    ...numbered('hidden_states', places.hiddenStates),
    ...numbered('attentions', places.attentions),
    ['patch_embeddings', places.patchEmbeddings],
    ...numbered(
      'stages',
      places.stages?.map(({ name }) => name),
    ),
    ['forward_features', places.features],
    ['class_token', places.classToken],
    ['patch_tokens', places.patchTokens],
    ['global_pool', pooling],
    ['penultimate', card.penultimate],
  ]
  return new Map(all.filter((entry): entry is readonly [string, string] => entry[1] !== undefined))
}

/**
 * The value that the name of a layer or of a place stands for.
 *
 * @throws PipiloError `LAYER_UNKNOWN` with the closest names of both kinds
 */
export function resolvePlace(model: Pick<Model, 'card' | 'graph' | 'places'>, name: string): string {
  const { card, graph } = model
  if (name === '') {
    throw new PipiloError(
      'LAYER_UNKNOWN',
      `${card.name} has no embedding of its own. ${card.notes ?? ''}`.trim(),
      {
        input: card.name,
        hint: 'Choose a layer from layers() with tap; pipilo inspect lists them.',
      },
    )
  }
  const own = name === 'penultimate' ? undefined : findLayer(graph, name)
  if (own !== undefined) return own
  const blocked = model.places?.blocked
  const asked = name === 'penultimate' ? (card.penultimate ?? name) : name
  const why = blocked?.get(asked)
  if (why !== undefined) {
    throw new PipiloError(
      'OPERATOR_UNSUPPORTED',
      `The layer ${asked} of ${card.name} cannot be computed: ${why}.`,
      {
        input: name,
        hint: 'Choose a layer before that; pipilo inspect lists them. Or convert the model to ONNX (tf2onnx) and open that.',
      },
    )
  }
  const places = namedPlaces(model)
  const layer = places.get(spelledAsPlace(name))
  if (layer !== undefined) {
    const value = findLayer(graph, layer)
    if (value !== undefined) return value
    throw new PipiloError('LAYER_UNKNOWN', `${name} (${layer}) is no part of what is left of ${card.name}.`, {
      input: name,
      hint: 'Ask for it before the model is cut, or choose one from layers().',
    })
  }
  if (name === 'penultimate') {
    throw new PipiloError('LAYER_UNKNOWN', `${card.name} does not say which layer is its penultimate one.`, {
      input: name,
      hint: 'Name a layer from layers(), or say it with the option card: { penultimate }.',
    })
  }
  const all = layers(graph).map((one) => one.name)
  // One inside a branch or a loop: the graph says that of it.
  if (all.includes(name)) return resolveLayer(graph, name)
  const near = closest(name, [...places.keys(), ...all])
  throw new PipiloError('LAYER_UNKNOWN', `${card.name} has no layer ${name}.`, {
    input: name,
    hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : 'See layers(), or pipilo inspect.',
  })
}

/** Places that a part of the graph still has. Lists end where the first is missing, so that numbers stay right. */
export function placesLeft(graph: Graph, places: Places): Places {
  const isThere = (layer: string | undefined) => layer !== undefined && findLayer(graph, layer) !== undefined
  const kept: Record<string, unknown> = {}
  for (const [key, place] of Object.entries(places)) {
    if (typeof place === 'string') {
      if (isThere(place)) kept[key] = place
    } else if (Array.isArray(place)) {
      const missing = place.findIndex((one) => !isThere(typeof one === 'string' ? one : one.name))
      kept[key] = missing < 0 ? place : place.slice(0, missing)
    } else kept[key] = place
  }
  return kept
}

/** The value of a layer, or undefined where the graph has none of that name. */
export function findLayer(graph: Graph, layer: string): string | undefined {
  try {
    return resolveLayer(graph, layer)
  } catch (error) {
    if (error instanceof PipiloError && error.code === 'LAYER_UNKNOWN') return undefined
    throw error
  }
}

/** The layer that timm's and torchvision's models pool in, to one vector a picture. */
function poolingOf(graph: Graph): string | undefined {
  const timm = ['global_pool', 'head.global_pool'].find((layer) => findLayer(graph, layer) !== undefined)
  // torchvision's VGG has a map of 7 × 7 there.
  return timm ?? layers(graph).find(({ name, shape }) => name === 'avgpool' && shape?.length === 2)?.name
}
