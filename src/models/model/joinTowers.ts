// Two towers as one graph.
import { Builder, compose, cut, type Graph, type Initializer, op } from '../../graph/index.ts'
import { l2Normalize, parametersFrom } from '../../nn/index.ts'
import { tensor } from '../../tensor/index.ts'
import type { ModelParts } from './model.ts'

/** Names of the values at the towers' ends. */
export const embeds = { text: 'text_embeds', image: 'image_embeds' } as const

/** The tap of a model of two towers: the end of both. */
export const bothEmbeds = `${embeds.text},${embeds.image}`

/** A tower: its graph, and the places that users ask for. */
export type TowerParts = Pick<ModelParts, 'graph' | 'places'>

/** Parts of a model of two towers; its towers are cut out of its graph where they are not given. */
export interface TwoTowerParts extends ModelParts {
  readonly towers?: { readonly text: TowerParts; readonly image: TowerParts } | undefined
}

/**
 * Both towers in one graph: outputs `text_embeds`, `image_embeds` and `logits_per_image` [pictures, texts], the scaled cosines (with the
 * bias of models that have one).
 *
 * @param scalars `logit_scale` (the logarithm of the factor) and `logit_bias` as the checkpoint has them; none, and there are no logits
 */
export function joinTowers(text: Graph, image: Graph, scalars: ReadonlyMap<string, Initializer>): Graph {
  const joined = compose(cut(text, embeds.text), cut(image, embeds.image), {})
  if (!scalars.has('logit_scale')) return { ...joined, name: 'text-image' }
  const last = joined.outputs[0]?.type
  const size = last?.kind === 'tensor' ? last.shape?.at(-1) : undefined
  const builder = new Builder({ name: 'logits', opset: text.opsets.get('') ?? 17 })
  const vectors = (name: string, symbol: string) =>
    l2Normalize(builder.input(name, 'float32', [symbol, size ?? 'features']))
  const texts = vectors('texts', 'text_batch')
  const pictures = vectors('pictures', 'image_batch')
  const parameters = parametersFrom(builder, scalars)
  const scalar = (name: string) => parameters.weight(name, scalars.get(name)!.shape as number[])
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
