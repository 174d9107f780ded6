// Prepares one input as an embedder does, for those who run the embedder's graph themselves.
import { PipiloError } from '../../base/index.ts'
import type { Graph } from '../../graph/index.ts'
import type { Model, TowerModality } from '../../models/index.ts'
import type { Matrix, Tensor } from '../../tensor/index.ts'
import { preparer } from '../preparer.ts'
import { promptWords } from '../prompt.ts'
import { recipeOptions } from '../recipe/recipe.ts'
import { TextPreparation } from '../text/text.ts'
import { type PlacedToken, placedTokens } from '../text/tokenPlaces.ts'
import { towerOf } from '../towers/towerItem.ts'
import type { AnyInput, Embedder, Input, Prompt, RawImage } from '../types.ts'

/** One input as a model is fed with it. */
export interface ModelInput {
  readonly modality: TowerModality
  /** The embedder's model, or the tower of it that the input is for. */
  readonly model: Model
  /** Its one output `embedding` is the embedder's vector; pictures come as `pixels`. */
  readonly graph: Graph
  /** A batch of one, for the graph's inputs. */
  readonly feeds: Readonly<Record<string, Tensor>>
  /** The text was longer than the limit. */
  readonly truncated: boolean
  /** Of a text: its tokens, without padding, and the id of the token that texts are padded with. */
  readonly tokens?: readonly PlacedToken[]
  readonly padding?: number
  /** Of a picture: as the model sees it. */
  readonly seen?: RawImage
}

/** Words before a text. */
interface ModelInputOptions {
  readonly prompt?: Prompt | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * @throws PipiloError what `embed` throws for an input, `OPTION_INVALID` for an embedder that splits texts into chunks
 */
export async function modelInput(
  embedder: Embedder<Float32Array | Matrix>,
  given: AnyInput,
  { prompt, signal = new AbortController().signal }: ModelInputOptions = {},
): Promise<ModelInput> {
  const { name, card, recipe } = embedder
  if (recipe.text?.chunk) {
    throw new PipiloError('OPTION_INVALID', `The embedder of ${name} splits texts into chunks.`, {
      input: 'chunk',
      hint: 'Open it without chunk.',
    })
  }
  const { modality, input } = modalityOf(embedder, given)
  const whole = await embedder.model()
  const model = whole.towers?.[modality] ?? whole
  const graph = graphOf(embedder, model)
  const tokenizer = model.tokenizer ?? whole.tokenizer
  const known = { name, card, modality, ...(tokenizer !== undefined && { tokenizer }) }
  const prepare = await preparer(known, recipeOptions(recipe))
  const preparation = prepare({ inputs: graph.inputs, outputs: graph.outputs, concurrency: 1 })
  const words = modality === 'text' ? wordsOf(embedder, prompt) : promptWords(known, prompt)
  const [unit] = await preparation.prepare([input], {
    indexOf: (owner) => owner,
    prompt: words,
    signal,
    onError: (_, error) => {
      throw error
    },
  })
  const { content, truncated } = unit!
  const prepared = { modality, model, graph, feeds: preparation.feeds([unit!]), truncated }
  if (preparation instanceof TextPreparation) {
    const { tokenizer: texts } = preparation
    const placed = placedTokens(texts, words + String(input), content as readonly number[])
    const padding = texts.padding(card.text?.padding?.token)
    return { ...prepared, tokens: placed.map((token) => behind(token, words.length)), padding }
  }
  const [height, width] = card.image!.size
  return { ...prepared, seen: { width, height, channels: 3, data: content as Uint8Array } }
}

/** The tower that an input is for, or the embedder's modality. */
function modalityOf(
  { name, modality }: Embedder<Float32Array | Matrix>,
  given: AnyInput,
): { modality: TowerModality; input: Input } {
  if (modality === 'tensor') {
    throw new PipiloError('OPTION_INVALID', `${name} takes tensors, which have neither tokens nor pixels.`, {
      input: name,
      hint: 'Run its graph itself: model.run(feeds).',
    })
  }
  if (modality !== 'text-image') return { modality, input: given as Input }
  const { tower, item } = towerOf(given, 0, name)
  return { modality: tower, input: item.input }
}

function graphOf({ recipe, modality }: Embedder<Float32Array | Matrix>, model: Model): Graph {
  const { taps, pool, normalize, dimensions } = recipe
  return model.embedding({
    // Of two towers it is the end of each.
    ...(modality !== 'text-image' && { tap: taps }),
    pool,
    normalize,
    ...(dimensions > 0 && pool !== 'none' && { dimensions }),
  })
}

/** The words of a prompt; without one those that the embedder was opened with. */
function wordsOf(
  { name, modality, card, recipe }: Embedder<Float32Array | Matrix>,
  prompt: Prompt | undefined,
): string {
  return prompt === undefined ? (recipe.text?.prompt ?? '') : promptWords({ name, modality, card }, prompt)
}

/** A token's place in the text behind a prompt; tokens of the prompt have none. */
function behind({ start, end, ...token }: PlacedToken, length: number): PlacedToken {
  if (start === undefined || end === undefined || start < length) return token
  return { ...token, start: start - length, end: end - length }
}
