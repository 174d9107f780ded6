// Model of two towers, for texts and pictures in one space.
import { PipiloError } from '../../base/index.ts'
import { Builder, compose, cut, type Graph, type Initializer, op, tap } from '../../graph/index.ts'
import { l2Normalize, parametersFrom } from '../../nn/index.ts'
import { tensor } from '../../tensor/index.ts'
import type { Card, Model, Towers } from '../types.ts'
import { createModel, type ModelParts } from './model.ts'
import { findLayer } from './places.ts'

/** Outputs of the towers. */
const embeds = { text: 'text_embeds', image: 'image_embeds' } as const

/** The tap of a model of two towers: the end of both. */
export const bothEmbeds = `${embeds.text},${embeds.image}`

/** A tower: its graph, and the places that users ask for. */
export type TowerParts = Pick<ModelParts, 'graph' | 'places'>

/** Parts of a model of two towers; its towers are cut out of its graph where they are not given. */
export interface TwoTowerParts extends ModelParts {
  readonly towers?: { readonly text: TowerParts; readonly image: TowerParts } | undefined
}

/** A model of two towers over its parts. */
export function createTwoTowers(parts: TwoTowerParts): Model {
  const { card, graph } = parts
  const whole = createModel(parts)
  const towers = towersOf(parts)
  const refuse = (what: string): PipiloError =>
    new PipiloError('OPTION_INVALID', `${card.name} has two towers, and ${what} is for one.`, {
      input: card.name,
      hint: `Choose one: model.towers.image.${what}() or model.towers.text.${what}().`,
    })
  return {
    ...whole,
    towers,
    cut(layer) {
      if (layer === 'penultimate') throw refuse('cut')
      const tower = [towers.text, towers.image].find((each) => findLayer(each.graph, layer) !== undefined)
      return (tower ?? whole).cut(layer)
    },
    tap: (...layers) =>
      createTwoTowers({
        ...parts,
        graph: tap(graph, ...layers),
        fingerprint: whole.tap(...layers).fingerprint,
        opened: { ...parts.opened, changed: true },
      }),
    embedding() {
      throw refuse('embedding')
    },
    async export() {
      throw refuse('export')
    },
  }
}

function towersOf(parts: TwoTowerParts): Towers {
  const { card, graph, towers } = parts
  const { logitScale = 1, logitBias, tap: _, text: texts, image: pictures, ...rest } = card
  const tower = (modality: 'text' | 'image'): Model => {
    const use: Partial<Card> =
      modality === 'text'
        ? { ...(texts ? { text: texts } : {}) }
        : { ...(pictures ? { image: pictures } : {}) }
    const end = embeds[modality]
    const { graph: own, places } = towers?.[modality] ?? { graph: cut(graph, end), places: undefined }
    return createModel({
      ...parts,
      graph: own,
      places,
      opened: { ...parts.opened, tower: modality },
      tokenizer: modality === 'text' ? parts.tokenizer : undefined,
      card: { ...rest, ...use, modality, tap: end, penultimate: end },
    })
  }
  return {
    text: tower('text'),
    image: tower('image'),
    logitScale,
    ...(logitBias === undefined ? {} : { logitBias }),
  }
}

/**
 * Both towers in one graph: outputs `text_embeds`, `image_embeds` and `logits_per_image` [pictures, texts], the scaled cosines (with the
 * bias of models that have one).
 *
 * @param scalars `logit_scale` (the logarithm of the factor) and `logit_bias` as the checkpoint has them
 */
export function joinTowers(text: Graph, image: Graph, scalars: ReadonlyMap<string, Initializer>): Graph {
  const joined = compose(cut(text, embeds.text), cut(image, embeds.image), {})
  const last = joined.outputs[0]?.type
  const size = last?.kind === 'tensor' ? last.shape?.at(-1) : undefined
  const builder = new Builder({ name: 'logits', opset: text.opsets.get('') ?? 17 })
  const vectors = (name: string, symbol: string) =>
    l2Normalize(builder.input(name, 'float32', [symbol, size ?? 'features']))
  const texts = vectors('texts', 'text_batch')
  const pictures = vectors('pictures', 'image_batch')
  const parameters = parametersFrom(builder, scalars)
  const scalar = (name: string) => parameters(name, scalars.get(name)!.shape as number[])
  const cosines = op.matMul(pictures, op.transpose(texts, [1, 0]))
  const scaled = op.mul(cosines, op.exp(scalar('logit_scale')))
  builder.output(
    'logits_per_image',
    scalars.has('logit_bias') ? op.add(scaled, scalar('logit_bias')) : scaled,
  )
  const whole = compose(joined, builder.build(), { [embeds.text]: 'texts', [embeds.image]: 'pictures' })
  return { ...cut(whole, [embeds.text, embeds.image, 'logits_per_image']), name: 'text-image' }
}

/** `logit_scale` and `logit_bias` of a checkpoint, else as numbers say them. */
export function logitTensors(
  scale: number,
  bias: number | undefined,
  checkpoint: ReadonlyMap<string, Initializer> = new Map(),
): ReadonlyMap<string, Initializer> {
  const find = (name: string, value: number) =>
    [
      name,
      checkpoint.get(name) ?? checkpoint.get(`module.${name}`) ?? tensor('float32', [], [value]),
    ] as const
  return new Map([
    find('logit_scale', Math.log(scale)),
    ...(bias === undefined ? [] : [find('logit_bias', bias)]),
  ])
}
