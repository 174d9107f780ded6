// Model of two towers, for texts and pictures in one space.
import { PipiloError } from '../../base/index.ts'
import { cut, tap } from '../../graph/index.ts'
import type { Card, Model, Towers } from '../types.ts'
import { embeds, type TwoTowerParts } from './joinTowers.ts'
import { createModel } from './model.ts'
import { findLayer } from './places.ts'

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
  const { logitScale, logitBias, tap: _, text: texts, image: pictures, ...rest } = card
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
    ...(logitScale === undefined ? {} : { logitScale }),
    ...(logitBias === undefined ? {} : { logitBias }),
  }
}
